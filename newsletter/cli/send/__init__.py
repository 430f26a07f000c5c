"""Commands that plan, run, watch and repair a send."""
