"""Change a subscriber's status and record it: signup, unsubscribe, erasure."""
