"""SSRF-safe requests to URLs from posts: links, images, pages."""
