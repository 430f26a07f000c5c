"""Parse one row of a file: its columns, values, status and warnings."""
