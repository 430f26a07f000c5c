"""Commands about one issue before it is sent."""
