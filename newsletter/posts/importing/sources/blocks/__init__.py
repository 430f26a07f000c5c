"""Rewrite the cards and widgets of publishing platforms as our blocks."""
