"""Rendering: issue + templates -> Email; pure, offline, deterministic."""
