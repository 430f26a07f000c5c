"""A strict test double of SendGrid's API on loopback, with faults to order."""
