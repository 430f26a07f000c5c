"""The text part of a mail."""
