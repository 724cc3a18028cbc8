"""The commands, one module for each group; libraries are imported only when one runs."""
