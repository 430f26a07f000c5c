"""``newsletter subscribers show``: all that is known of one reader."""

import datetime
import json
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.output import fields, note, say
from newsletter.cli.subscribers.queries.explain import STATES
from newsletter.cli.subscribers.queries.issue_argument import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.subscribers.consent.journal import Line
    from newsletter.subscribers.gdpr_export import Copy, Profile

MOST_SHOWN = 20


@click.command(short_help="Show all that is known of a reader.")
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def show(address: str, *, as_json: bool) -> None:
    """Show all that is known of the reader of ADDRESS, with the journal of their consent.

    Times are in the newsletter's zone; in JSON they are UTC. A reader who asks what you know
    of them (GDPR, art. 15) can be given it.

    \b
    Example:
      newsletter subscribers show ada@example.com
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from zoneinfo import ZoneInfo

    from newsletter.db import database, reading
    from newsletter.project import open_project
    from newsletter.subscribers.address import parse_address
    from newsletter.subscribers.gdpr_export import as_data, find_profile

    of = parse_address(address)
    project = open_project()
    with (
        database(project.config.database, project.root) as engine,
        reading(engine) as connection,
    ):
        found = find_profile(connection, of)
    if as_json:
        say(json.dumps(as_data(found), default=datetime.datetime.isoformat, ensure_ascii=False))
    else:
        _show(found, ZoneInfo(project.config.timezone))


def _show(found: "Profile", zone: datetime.tzinfo) -> None:
    say(f"{found.address}: {found.status}")
    say(fields((label, value) for label, value in _rows(found, zone) if value))
    more = sum(max(0, len(each) - MOST_SHOWN) for each in (found.copies, found.events))
    if more:
        note(f"and {more:,} more issues and events; all of them with --json")


def _rows(found: "Profile", zone: datetime.tzinfo) -> "Iterator[tuple[str, str]]":
    yield "name", found.name
    yield "joined", f"{moment(found.joined_at, zone)}{_from(found.source)}"
    yield "confirmed", moment(found.confirmed_at, zone) if found.confirmed_at else ""
    yield "tags", ", ".join(found.tags)
    attributes = sorted(found.attributes.items())
    yield "attributes", "\n".join(f"{name}: {_text(value)}" for name, value in attributes)
    yield "soft bounces", f"{found.soft_bounces} in a row" if found.soft_bounces else ""
    yield "paused", f"until {moment(found.paused_until, zone)}" if found.paused_until else ""
    for row in found.suppressed:
        yield "suppressed", f"{row.reason} since {moment(row.since, zone)} ({row.source})"
    yield "journal", "\n".join(_line(line, zone) for line in found.journal)
    yield "issues", "\n".join(_copy(copy) for copy in found.copies[:MOST_SHOWN])
    yield (
        "events",
        "\n".join(
            f"{moment(at, zone)}  {type_} {issue}".rstrip()
            for type_, at, issue in found.events[:MOST_SHOWN]
        ),
    )


def _copy(copy: "Copy") -> str:
    return f"{copy.issue}: {STATES[copy.state]}{f': {copy.error}' if copy.error else ''}"


def _line(line: "Line", zone: datetime.tzinfo) -> str:
    led_to = "" if line.change == line.status else f", {line.status}"
    how = ", ".join(filter(None, (line.how.replace("_", " "), line.source)))
    wording = f": '{line.wording}'" if line.wording else ""
    return f"{moment(line.at, zone)}  {line.change.replace('_', ' ')}{led_to} ({how}){wording}"


def _from(source: str) -> str:
    return f", from {source}" if source else ""


def _text(value: Any) -> str:
    from newsletter.subscribers.attribute_types import shown

    return shown(value)
