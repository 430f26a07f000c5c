"""``newsletter subscribers``: the group, and where its commands are."""

import click

from newsletter.cli.lazy_group import Commands, Lazy

_HERE = "newsletter.cli.subscribers"
COMMANDS = {
    "import": Lazy(f"{_HERE}.import_list:import_file", "Add the readers of a file."),
    "export": Lazy(f"{_HERE}.export:export_file", "Write the readers to a file."),
    "add": Lazy(f"{_HERE}.add:add", "Add one reader, or bring one back by their consent."),
    "show": Lazy(f"{_HERE}.queries.show:show", "Show all that is known of a reader."),
    "remove": Lazy(f"{_HERE}.remove:remove", "Unsubscribe a reader who asked you to."),
    "erase": Lazy(f"{_HERE}.erase:erase", "Erase all that is known of a reader (GDPR)."),
    "rotate-token": Lazy(f"{_HERE}.remove:rotate_token", "Give a reader's links a new secret."),
    "list": Lazy(f"{_HERE}.queries.listing:list_", "Show who is in the list."),
    "count": Lazy(f"{_HERE}.queries.segments:count", "Count the readers that a query finds."),
    "segments": Lazy(
        f"{_HERE}.queries.segments:segments", "Show the segments of newsletter.yml, counted."
    ),
    "tag": Lazy(f"{_HERE}.tag:tag", "Put a tag on readers."),
    "untag": Lazy(f"{_HERE}.tag:untag", "Take a tag off readers."),
    "explain": Lazy(
        f"{_HERE}.queries.explain:explain", "Explain why a reader gets an issue, or doesn't."
    ),
    "diff": Lazy(
        f"{_HERE}.queries.diff:diff", "Show who came and who left since an issue was sent."
    ),
    "stats": Lazy(
        f"{_HERE}.queries.stats:stats", "Show how the list grows: weeks, churn, sources, tags."
    ),
    "sync": Lazy(f"{_HERE}.sync:sync", "Bring SendGrid's bounces and unsubscribes into the list."),
}


@click.group(cls=Commands, lazy=COMMANDS, short_help="Keep the list of readers.")
def subscribers() -> None:
    """Keep the list of readers: fill it from files, change it, show it.

    \b
    Example:
      newsletter subscribers import readers.csv
    """  # noqa: D301 - \b is click's own mark: don't rewrap
