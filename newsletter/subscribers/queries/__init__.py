"""Queries over the list: listing, statistics, growth chart, diff, explain."""
