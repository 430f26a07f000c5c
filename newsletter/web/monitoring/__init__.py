"""Health, metrics and the log of a server."""
