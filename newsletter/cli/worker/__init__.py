"""The command that runs a worker, and what other commands show of workers."""
