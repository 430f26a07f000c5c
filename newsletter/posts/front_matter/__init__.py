"""The settings at the top of a post: parsed, checked, compiled."""
