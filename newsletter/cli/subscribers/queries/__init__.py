"""Commands that query the subscriber list without changing it."""
