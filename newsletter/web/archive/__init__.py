"""Sent issues as pages, feeds and files."""
