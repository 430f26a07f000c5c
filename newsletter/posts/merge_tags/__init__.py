"""``{{ subscriber.name }}`` and the like, compiled to substitution tokens."""
