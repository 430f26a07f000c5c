"""A report as a page, as charts, as plain data."""
