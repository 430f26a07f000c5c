"""Back up the SQLite database, restore it, carry over unsubscribes."""
