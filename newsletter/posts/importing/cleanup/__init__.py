"""Clean up imported posts: boilerplate, bylines, spam, comments."""
