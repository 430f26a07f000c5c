"""SendGrid's events: parse, verify, record, and apply to the list."""
