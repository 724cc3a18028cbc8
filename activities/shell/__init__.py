"""Programs that flows run, on the worker's machine or in containers."""
