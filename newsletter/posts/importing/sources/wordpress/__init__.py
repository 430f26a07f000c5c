"""Reader of WordPress exports (WXR)."""
