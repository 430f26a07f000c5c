"""Commands for the whole database: upgrade, backup, restore."""
