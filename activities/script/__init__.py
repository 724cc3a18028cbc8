"""JavaScript in flows, in a sandbox."""
