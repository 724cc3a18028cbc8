"""The node type of SQL: statements with values that are bound, never written into the text."""
