"""Front matter: parse it, validate it, compile its merge tags."""
