"""The rules, one module per topic; register a new one in the registry."""
