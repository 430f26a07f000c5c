"""Templates: loading, Jinja rendering, compilation."""
