"""Email providers; what is specific to one is in its subfolder."""
