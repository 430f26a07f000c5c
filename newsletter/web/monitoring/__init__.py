"""The public server's health checks, metrics and request log."""
