"""Notify the editor about a send that nobody watches."""
