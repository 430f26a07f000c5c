"""Commands about the newsletter's folder and its account."""
