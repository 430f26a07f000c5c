"""One row of a file: its columns, values and warnings."""
