"""Fixtures: a site with a manual clock, and a fake SendGrid for its emails."""

from signup_harness import clock, harness, settings, site

__all__ = ["clock", "harness", "settings", "site"]
