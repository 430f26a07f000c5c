"""The rules, a module a topic; a new one is added here and in the registry."""
