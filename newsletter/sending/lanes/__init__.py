"""Lanes: jobs that wake the workers of several machines to send."""
