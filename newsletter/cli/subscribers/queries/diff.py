"""``newsletter subscribers diff``: who joined or left since a send."""

import datetime
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_lines_option
from newsletter.cli.output import echo, echo_err, format_fields, format_status_counts, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.cli.subscribers.queries.issue_argument import find_issue_and_send, format_in_zone
from newsletter.errors import SubscriberListError

if TYPE_CHECKING:
    from newsletter.subscribers.queries.diff import AudienceDifference

CAME, LEFT = "came", "left"
AudienceChanges = Iterator[tuple[str, "AudienceDifference"]]


@click.command("diff", short_help="Show who came and who left since an issue was sent.")
@click.argument("issue")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    default=20,
    show_default=True,
    help="Show N readers at most; 0 for all.",
)
@json_lines_option
def diff_command(issue: str, *, limit: int, as_json: bool) -> None:
    """Show who would get ISSUE now but was not in its send, and who left since, and why.

    ISSUE is an issue's name or a part of it.

    \b
    Example:
      newsletter subscribers diff building-trust
    """
    from zoneinfo import ZoneInfo

    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers import ALL_SUBSCRIBERS
    from newsletter.subscribers.queries.diff import iter_added, iter_removed
    from newsletter.subscribers.segments import find_segment
    from newsletter.subscribers.topics import limit_to_topic

    project = open_project()
    with open_project_database(project) as engine, read_transaction(engine) as connection:
        name, sent = find_issue_and_send(project, connection, issue)
        if sent is None:
            raise SubscriberListError(
                f"{name} has not been sent yet", remedy="Its audience is the present list."
            )
        condition = ALL_SUBSCRIBERS
        if sent.segment:
            now = datetime.datetime.now(datetime.UTC)
            condition = find_segment(
                connection, sent.segment, project.config, now, besides=sent.issue
            ).condition
        condition = limit_to_topic(condition, sent.topic)
        added = iter_added(connection, sent, condition)
        removed = iter_removed(connection, sent, condition)
        changes = chain(
            ((CAME, difference) for difference in added),
            ((LEFT, difference) for difference in removed),
        )
        if as_json:
            for change, difference in changes:
                at = difference.at.isoformat() if difference.at else None
                print_json({"change": change, **difference._asdict(), "at": at})
            return
        zone = ZoneInfo(project.config.timezone)
        echo(f"{name}, sent to {sent.total:,} on {format_in_zone(sent.frozen_at, zone)}")
        _print_changes(changes, zone, limit)


def _print_changes(changes: AudienceChanges, zone: datetime.tzinfo, limit: int) -> None:
    counts: dict[str, Counter[str]] = {CAME: Counter(), LEFT: Counter()}
    shown: list[str] = []
    for change, difference in changes:
        counts[change][difference.why] += 1
        if not limit or len(shown) < limit:
            shown.append(_format_change(change, difference, zone))
    total = sum(counter.total() for counter in counts.values())
    texts = {
        change: f"{counter.total():,}: {format_status_counts(counter)}" if counter else "nobody"
        for change, counter in counts.items()
    }
    echo(format_fields(texts.items()))
    for line in shown:
        echo(line)
    if total > len(shown):
        echo_err(f"and {total - len(shown):,} more; all of them with --limit 0")


def _format_change(change: str, difference: "AudienceDifference", zone: datetime.tzinfo) -> str:
    when = f" {format_in_zone(difference.at, zone)}" if difference.at else ""
    how = ", ".join(filter(None, (difference.how, difference.source)))
    why = f"{difference.why}{when}" + (f" ({how})" if how else "")
    return f"  {'+' if change == CAME else '-'} {difference.address or 'somebody'}  {why}"
