"""Formats of a report: HTML page with charts, terminal text, JSON."""
