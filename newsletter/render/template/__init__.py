"""Templates: found, filled by Jinja, compiled."""
