"""Queries over the list: listing, statistics, diff, explain."""
