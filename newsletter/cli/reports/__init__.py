"""Commands about what became of a send."""
