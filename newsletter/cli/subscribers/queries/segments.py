"""``newsletter subscribers count`` and ``segments``: count readers."""

import datetime
import shlex
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_lines_option, json_option
from newsletter.cli.output import echo, format_fields, print_error, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.errors import SubscriberListError
from newsletter.wording import format_count

if TYPE_CHECKING:
    import sqlalchemy as sa

    from newsletter.subscribers.segments import Segment

SEGMENTS_EXAMPLE = """\
There are no segments in newsletter.yml. For example:
  segments:
    vips: tag:vip and not opened:last-5"""


@click.command("count", short_help="Count the readers that a query finds.")
@click.argument("segment", metavar="QUERY|NAME")
@json_option
def count_command(segment: str, *, as_json: bool) -> None:
    """Count the readers that a query finds, or a segment named in newsletter.yml.

    A query has terms on tags, status, dates, attributes and engagement, joined by and, or
    and not; docs/reference/segments.md has them all.

    \b
    Example:
      newsletter subscribers count 'tag:vip and joined > 30 days ago'
    """
    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers import count_subscribers
    from newsletter.subscribers.segments import find_segment

    project = open_project()
    with open_project_database(project) as engine, read_transaction(engine) as connection:
        now = datetime.datetime.now(datetime.UTC)
        found_segment = find_segment(connection, segment, project.config, now)
        data = _count_segment(connection, found_segment) | {"list": count_subscribers(connection)}
    if as_json:
        print_json(data)
        return
    readers, mailable = data["readers"], data["mailable"]
    echo(f"{readers:,} of {format_count(data['list'], 'reader')}; {mailable:,} may be mailed.")
    if mailable:
        echo(f"Next: newsletter send --dry-run --segment {shlex.quote(str(found_segment))}")


@click.command("segments", short_help="Show the segments of newsletter.yml, counted.")
@json_lines_option
def segments_command(*, as_json: bool) -> int:
    """Show the segments that newsletter.yml names, and how many readers each finds.

    \b
    Example:
      newsletter subscribers segments
    """
    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.subscribers.segments import find_segment

    project = open_project()
    if not project.config.segments and not as_json:
        echo(SEGMENTS_EXAMPLE)
    has_error = False
    now = datetime.datetime.now(datetime.UTC)
    with open_project_database(project) as engine, read_transaction(engine) as connection:
        for name in project.config.segments:
            try:
                data = _count_segment(
                    connection, find_segment(connection, name, project.config, now)
                )
            except SubscriberListError as error:
                print_error(error)
                has_error = True
            else:
                _print_segment(data, as_json=as_json)
    return 1 if has_error else 0


def _count_segment(connection: "sa.Connection", segment: "Segment") -> dict[str, Any]:
    from newsletter.subscribers import count_subscribers

    return {
        "segment": segment.name,
        "query": segment.text,
        "readers": count_subscribers(connection, segment.condition),
        "mailable": count_subscribers(connection, segment.condition, mailable_only=True),
    }


def _print_segment(data: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(data)
        return
    echo(data["segment"])
    count = f"{format_count(data['readers'], 'reader')}, {data['mailable']:,} may be mailed"
    echo(format_fields([("query", data["query"]), ("finds", count)]))
