"""Public site: sign-up, preferences, unsubscribe, archive, webhook."""
