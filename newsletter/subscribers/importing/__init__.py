"""A file of subscribers into the list: read, checked, merged, written in bulk."""
