"""``newsletter subscribers``: the group, and where its commands are."""

import click

from newsletter.cli.commands import Commands, Lazy

_HERE = "newsletter.cli.subscribers"
COMMANDS = {
    "import": Lazy(f"{_HERE}.import_file:import_file", "Add the readers of a CSV file."),
    "list": Lazy(f"{_HERE}.listing:list_", "Show who is in the list."),
    "stats": Lazy(f"{_HERE}.stats:stats", "Show how the list grows: weeks, churn, sources, tags."),
    "sync": Lazy(f"{_HERE}.sync:sync", "Bring SendGrid's bounces and unsubscribes into the list."),
}


@click.group(cls=Commands, lazy=COMMANDS, short_help="Keep the list of readers.")
def subscribers() -> None:
    """Keep the list of readers: fill it from files, change it, show it.

    \b
    Example:
      newsletter subscribers import readers.csv
    """  # noqa: D301 - \b is click's own mark: don't rewrap
