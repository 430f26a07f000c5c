"""Parsers of post sources: plain text, Markdown, HTML."""
