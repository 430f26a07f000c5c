"""Checks of `newsletter doctor`: settings, key, sender, DNS, database."""
