"""Images of posts on the web: fetched, prepared for email, stored."""
