"""Commands that serve or write the public site."""
