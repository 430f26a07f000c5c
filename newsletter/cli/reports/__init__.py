"""Commands for the results of a send: import events, print a report."""
