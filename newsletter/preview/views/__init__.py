"""What each tab of the preview shows."""
