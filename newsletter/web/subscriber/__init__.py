"""Subscribers' pages: sign-up, confirmation, preferences, unsubscribe."""
