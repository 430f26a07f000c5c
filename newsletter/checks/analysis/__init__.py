"""What rules look at: CSS, colors, the text as it is shown, what mail clients support."""
