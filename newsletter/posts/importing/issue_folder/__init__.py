"""The folder of an imported issue: find it, write it, recognize its post."""
