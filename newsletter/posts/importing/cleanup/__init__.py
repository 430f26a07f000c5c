"""What an import takes out of a post or puts aside: page furniture, spam, comments."""
