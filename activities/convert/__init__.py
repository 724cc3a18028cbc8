"""Between bytes and values: CSV, JSON, XML."""
