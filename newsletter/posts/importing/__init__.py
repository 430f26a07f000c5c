"""Import posts from files, web pages or standard input as issues."""
