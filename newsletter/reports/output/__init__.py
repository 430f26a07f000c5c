"""Formats of a report: HTML page, charts, terminal text, JSON."""
