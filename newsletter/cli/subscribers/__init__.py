"""Commands for the subscriber list: import, export, change, query."""

from newsletter.cli.subscribers.group import subscribers_group

__all__ = ["subscribers_group"]
