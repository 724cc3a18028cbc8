"""Making values out of values: queries, templates, schemas."""
