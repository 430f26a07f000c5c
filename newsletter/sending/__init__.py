"""Plan, deliver and record sends; providers, delivery feedback, rehearsal."""
