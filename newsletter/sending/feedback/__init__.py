"""Delivery feedback: the provider's events and suppression lists."""
