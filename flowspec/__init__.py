"""The pure flow language: no input or output of any kind happens below this package."""
