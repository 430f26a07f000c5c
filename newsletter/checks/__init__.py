"""What can be said of a mail before it is sent: one small function a rule."""
