"""HTTP: requests and webhooks."""
