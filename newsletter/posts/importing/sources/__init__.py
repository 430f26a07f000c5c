"""One module a kind of source: each returns a draft."""
