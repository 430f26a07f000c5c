"""One row of a file becomes one entry: its columns, its values, its warnings."""
