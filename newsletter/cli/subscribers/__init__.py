"""``newsletter subscribers``: one file a command, or a few that belong together."""

from newsletter.cli.subscribers.group import subscribers_group

__all__ = ["subscribers_group"]
