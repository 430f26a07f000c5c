"""What the provider reports later: events, and its suppression lists."""
