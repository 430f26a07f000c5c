"""Email providers; only the folders in here know a vendor."""
