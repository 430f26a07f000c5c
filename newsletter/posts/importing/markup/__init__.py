"""Translate other tools' markup in a post's body: shortcodes, MDX."""
