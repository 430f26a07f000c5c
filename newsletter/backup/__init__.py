"""Copy a database while others write to it, restore a copy, and carry over who has left since."""
