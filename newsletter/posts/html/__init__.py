"""Markdown and HTML from anywhere become HTML that is safe in a mail."""
