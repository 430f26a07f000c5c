"""Feeds: RSS, Atom, JSON Feed; which of their posts are new."""
