"""``newsletter subscribers list``: list readers, count them by status."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_lines_option
from newsletter.cli.output import echo, echo_err, format_status_counts, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.subscribers.queries.listing import Subscriber

STATUSES = ("pending", "active", "unsubscribed", "bounced", "complained")


@click.command("list", short_help="Show who is in the list.")
@click.option("--status", type=click.Choice(STATUSES), help="Only readers with this status.")
@click.option("--search", metavar="TEXT", help="Only readers with TEXT in address or name.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show N at most; 0 for all.  [default: 50, with --json all]",
)
@json_lines_option
def list_command(status: str | None, search: str | None, limit: int | None, as_json: bool) -> None:  # noqa: FBT001
    """Show who is in the list, the longest there first, and count them by status.

    \b
    Example:
      newsletter subscribers list --status bounced --search example.com
    """
    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers import count_by_status
    from newsletter.subscribers.queries.listing import (
        SubscriberFilter,
        count_filtered,
        iter_subscribers,
    )

    project = open_project()
    criteria = SubscriberFilter(status, search)
    if limit is None and not as_json:
        limit = 50
    with open_project_database(project) as engine, read_transaction(engine) as connection:
        subscribers = iter_subscribers(connection, criteria, limit or None)
        if as_json:
            for subscriber in subscribers:
                data = subscriber._asdict() | {"joined_at": subscriber.joined_at.isoformat()}
                print_json(data)
            return
        shown = _print_table(list(subscribers))
        more = count_filtered(connection, criteria) - shown
        if more > 0:
            echo_err(f"and {more:,} more; all of them with --limit 0")
        echo(_format_summary(count_by_status(connection)))


def _print_table(rows: "list[Subscriber]") -> int:
    """Print the rows in columns and return their number."""
    address_width = max((len(row.address) for row in rows), default=0)
    name_width = min(max((len(row.name) for row in rows), default=0), 24)
    status_width = max((len(row.status) for row in rows), default=0)
    for row in rows:
        shown_name = row.name if len(row.name) <= name_width else f"{row.name[: name_width - 1]}…"
        joined = row.joined_at.date()
        echo(
            f"{row.address:<{address_width}}  {shown_name:<{name_width}}  "
            f"{row.status:<{status_width}}  {joined}"
        )
    return len(rows)


def _format_summary(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return "The list is empty. Fill it with: newsletter subscribers import FILE.csv"
    ordered = {"active": counts["active"], **counts}
    return f"{format_count(total, 'reader')}: {format_status_counts(ordered)}"
