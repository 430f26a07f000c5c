"""What the list can tell; nothing here writes."""
