"""Make a digest: choose posts, turn them into cards, write the issue."""
