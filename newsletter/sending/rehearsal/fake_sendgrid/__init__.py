"""A strict fake of SendGrid's API on loopback, with injected faults."""
