"""SendGrid: its API, its request bodies, and what its responses prove."""
