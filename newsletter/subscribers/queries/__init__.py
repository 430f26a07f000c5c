"""Read-only queries: listing, stats, growth chart, diff, explain."""
