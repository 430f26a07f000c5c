"""A publishing pipeline for a weekly email: post, issue, email, send."""

__version__ = "0.1.0"
