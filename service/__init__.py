"""The edges of Flowrunner: settings, the connection to Temporal, the local server, the command."""
