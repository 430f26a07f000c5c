"""``newsletter events unreadable``: list unreadable events, retry them."""

import datetime
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, make_output_private, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.cli.reports.intake_result import intakes_to_dict, print_intakes
from newsletter.wording import format_count

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.events.unreadable_store import UnreadableEvent, UnreadableSummary
    from newsletter.project import Project

_MAX_LISTED = 20
_MAX_SHOWN = 500  # characters of one text


@click.command("unreadable", short_help="List what was received and is not understood.")
@click.option("--retry", is_flag=True, help="Try them again, as after an update of newsletter.")
@click.option(
    "--all", "show_all", is_flag=True, help=f"List all, not only the latest {_MAX_LISTED}."
)
@json_option
def unreadable_events_command(*, retry: bool, show_all: bool, as_json: bool) -> None:
    """List the entries of webhooks and imported files that could not be read, latest first.

    They are kept as they were received, for 90 days: at most 10,000 entries and 20 MB, and of a
    long one the first 16 KB. With --retry, each is read again and applied if it can be read now.

    \b
    Examples:
      newsletter events unreadable
      newsletter events unreadable --retry
    """
    from newsletter.events.unreadable_store import purge_unreadable
    from newsletter.project import open_project

    make_output_private()
    project, now = open_project(), datetime.datetime.now(datetime.UTC)
    with open_project_database(project) as engine:
        with engine.begin() as connection:
            purge_unreadable(connection, now)
        if retry:
            _retry(project, engine, as_json=as_json)
        else:
            _list(project, engine, show_all=show_all, as_json=as_json)


def _retry(project: "Project", engine: "sa.Engine", *, as_json: bool) -> None:
    from newsletter.db import read_transaction
    from newsletter.events.unreadable_store import summarize_unreadable
    from newsletter.sending.feedback.unreadable_retry import retry_unreadable
    from newsletter.sending.ledger.find_sends import open_ledger

    result = retry_unreadable(open_ledger(engine, project.config), project.config)
    with read_transaction(engine) as connection:
        left = summarize_unreadable(connection).total
    if as_json:
        changes = intakes_to_dict(result.totals)
        print_json({"understood": result.understood, "unreadable": left, **changes})
        return
    echo(f"{result.understood:,} understood now, {left:,} still not.")
    if result.understood:
        print_intakes(result.totals)


def _list(project: "Project", engine: "sa.Engine", *, show_all: bool, as_json: bool) -> None:
    from zoneinfo import ZoneInfo

    from newsletter.db import read_transaction
    from newsletter.events.unreadable_store import (
        MAX_ROWS,
        load_unreadable,
        summarize_unreadable,
    )

    with read_transaction(engine) as connection:
        summary = summarize_unreadable(connection)
        rows = load_unreadable(connection, MAX_ROWS if show_all or as_json else _MAX_LISTED)
    if as_json:
        print_json(
            {
                "unreadable": summary.total,
                "dropped": summary.dropped_count,
                "events": [_row_to_dict(row) for row in rows],
            }
        )
        return
    zone = ZoneInfo(project.config.timezone)
    for row in rows:
        _print_row(row, zone)
    _print_summary(summary, len(rows))


def _row_to_dict(row: "UnreadableEvent") -> dict[str, Any]:
    return {
        "id": row.id,
        "received_at": row.received_at.isoformat(),
        "source": row.source,
        "reason": row.reason,
        "length": row.length,
        "complete": row.is_complete,
        "text": _decode(row.body),
    }


def _print_row(row: "UnreadableEvent", zone: datetime.tzinfo) -> None:
    echo(f"{row.received_at.astimezone(zone):%Y-%m-%d %H:%M}  {row.source}: {row.reason}")
    text = " ".join(_decode(row.body).split())
    cut = "" if row.is_complete and len(text) <= _MAX_SHOWN else f" … ({row.length:,} bytes)"
    if text:
        echo(f"  {text[:_MAX_SHOWN]}{cut}")


def _print_summary(summary: "UnreadableSummary", listed: int) -> None:
    if not summary.total:
        echo("Nothing that was received as an event is unreadable.", color="green")
    elif listed < summary.total:
        echo_err(f"and {summary.total - listed:,} more; all of them with --all")
    if summary.dropped_count:
        dropped = format_count(summary.dropped_count, "older one")
        echo_err(f"{dropped} dropped, since there were too many.", color="yellow")
    if summary.total:
        echo_err("After an update of newsletter: newsletter events unreadable --retry")


def _decode(body: bytes) -> str:
    """Return the text; bytes that are not UTF-8 are escaped."""
    return body.decode("utf-8", "backslashreplace")
