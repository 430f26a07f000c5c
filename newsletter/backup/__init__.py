"""Copy the database, restore a copy, carry over who has left since."""
