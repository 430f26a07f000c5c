"""HTML of posts: render Markdown, extract articles, sanitize."""
