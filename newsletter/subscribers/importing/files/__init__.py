"""Files of subscribers, read row by row: CSV, JSON lines, ZIP; their encodings."""
