"""Every change of a subscriber's status, and the journal that records it."""
