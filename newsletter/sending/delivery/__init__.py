"""From a claimed batch to its recorded result: claim, POST, record."""
