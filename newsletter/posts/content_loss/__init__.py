"""Find what a post's source holds and its email does not."""
