"""Email providers; only the folders in here know which provider it is."""
