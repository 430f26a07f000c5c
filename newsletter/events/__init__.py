"""SendGrid's events: parse, verify, record them, and apply them to the list."""
