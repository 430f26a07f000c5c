"""Everything before a request leaves: proposal, checks, frozen content and recipients."""
