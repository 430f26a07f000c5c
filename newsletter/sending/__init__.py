"""Plan, deliver and record a send; providers, feedback, rehearsal."""
