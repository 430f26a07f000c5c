"""Issue + templates -> Email. Pure, offline, deterministic."""
