"""Changes of a subscriber's status, and the journal that records them."""
