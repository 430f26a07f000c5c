"""Notifications: tell the editor about a send that nobody watches."""
