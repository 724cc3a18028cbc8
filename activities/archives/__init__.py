"""ZIP and tar archives."""
