"""Publishing pipeline for a weekly newsletter: post, issue, email, send."""

__version__ = "0.1.0"
