"""Read files of subscribers: CSV, JSON lines, ZIP, encodings."""
