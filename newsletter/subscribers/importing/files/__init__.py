"""Read files of subscribers row by row: CSV, JSON lines, ZIP; encodings."""
