"""Checks that need the network: where links lead, and whether images are published."""
