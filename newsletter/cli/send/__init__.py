"""Commands about a send; what they share is in ``shared``."""
