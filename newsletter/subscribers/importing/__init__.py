"""Import a file of subscribers: read, check, merge, write in bulk."""
