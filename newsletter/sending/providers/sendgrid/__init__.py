"""SendGrid: its API, its request bodies, what its answers prove."""
