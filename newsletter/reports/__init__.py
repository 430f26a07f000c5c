"""Numbers of a send: counts of the ledger, the events and the journal, and what they add up to."""
