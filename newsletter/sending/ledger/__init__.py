"""The ledger: what was sent to whom, and what may happen next."""
