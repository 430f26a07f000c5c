"""A whole web page: its metadata, and the place of its article."""
