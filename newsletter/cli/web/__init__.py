"""Commands that serve the public site, or write it to files."""
