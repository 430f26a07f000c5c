"""Pages behind a subscriber's links: sign-up, confirmation, preferences, unsubscribe."""
