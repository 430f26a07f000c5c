"""The report of a send: counts from the ledger, events and journal."""
