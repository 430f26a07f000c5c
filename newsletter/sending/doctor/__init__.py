"""Whether all is in place for a send."""
