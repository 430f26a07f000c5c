"""Commands that only read the list."""
