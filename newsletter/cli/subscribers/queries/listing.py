"""``newsletter subscribers list``: list readers, count them by status."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_lines_option
from newsletter.cli.output import echo, echo_err, format_status_counts, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.cli.table import align_rows
from newsletter.cli.wrap_message import get_stream_width
from newsletter.errors import UsageError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.subscribers.queries.listing import Subscriber

STATUSES = ("pending", "active", "unsubscribed", "bounced", "complained")


@click.command("list", short_help="Show who is in the list.")
@click.argument("text", required=False)
@click.option("--status", type=click.Choice(STATUSES), help="Only readers with this status.")
@click.option("--search", metavar="TEXT", help="The same as the argument TEXT.")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help="Show N at most; 0 for all.  [default: 50, with --json all]",
)
@json_lines_option
def list_command(
    text: str | None, *, status: str | None, search: str | None, limit: int | None, as_json: bool
) -> None:
    """Show who is on the list, earliest first, and count them by status.

    With TEXT, only readers whose address or name contains it, ignoring case.

    \b
    Examples:
      newsletter subscribers list lovelace
      newsletter subscribers list --status bounced example.com
    """
    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers import count_by_status
    from newsletter.subscribers.queries.listing import (
        SubscriberFilter,
        count_filtered,
        iter_subscribers,
    )

    if text is not None and search is not None:
        raise UsageError("TEXT and --search were both given", remedy="Give one of them.")
    project = open_project()
    criteria = SubscriberFilter(status, search if text is None else text)
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
        if not shown and (text or search or status):
            echo_err("No readers match.")
        if more > 0:
            echo_err(f"and {more:,} more; all of them with --limit 0")
        echo(_format_summary(count_by_status(connection)))


def _print_table(rows: "list[Subscriber]") -> int:
    """Print the rows in columns and return their number."""
    cells = [(row.address, row.name, row.status, str(row.joined_at.date())) for row in rows]
    for line in align_rows(cells, width=get_stream_width(sys.stdout), cut_column=1):
        echo(line)
    return len(rows)


def _format_summary(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    if not total:
        return "The list is empty. Fill it with: newsletter subscribers import FILE.csv"
    ordered = {"active": counts["active"], **counts}
    return f"{format_count(total, 'reader')}: {format_status_counts(ordered)}"
