"""Checks that need the network: broken links, unpublished images."""
