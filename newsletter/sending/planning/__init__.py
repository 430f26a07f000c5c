"""Before anything is sent: proposal, checks, frozen plan."""
