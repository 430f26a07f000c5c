"""``newsletter subscribers diff``: who came and who left since an issue was sent."""

import datetime
import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import by_status, fields, note, say
from newsletter.cli.subscribers.queries.issue_argument import issue_and_send, moment

if TYPE_CHECKING:
    from newsletter.subscribers.queries.diff import Difference

CAME, LEFT = "came", "left"
Found = Iterator[tuple[str, "Difference"]]


@click.command(short_help="Show who came and who left since an issue was sent.")
@click.argument("issue")
@click.option(
    "--limit", type=click.IntRange(min=0), metavar="N", default=20, show_default=True,
    help="Show N readers at most; 0 for all.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line, for scripts.")
def diff(issue: str, *, limit: int, as_json: bool) -> None:
    """Show who would get ISSUE now and wasn't in its send, and who left since, and why.

    ISSUE is a name, or a part that only one issue's name has.

    \b
    Example:
      newsletter subscribers diff building-trust
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from zoneinfo import ZoneInfo

    from newsletter.db import database, reading
    from newsletter.errors import ListError
    from newsletter.project import open_project
    from newsletter.subscribers import EVERYBODY
    from newsletter.subscribers.queries.diff import leavers, newcomers
    from newsletter.subscribers.segments import find_segment

    project = open_project()
    with (
        database(project.config.database, project.root) as engine,
        reading(engine) as connection,
    ):
        name, sent = issue_and_send(project, connection, issue)
        if sent is None:
            raise ListError(f"{name} was not sent yet", remedy="Its audience is the list of today.")
        within = EVERYBODY
        if sent.segment:
            now = datetime.datetime.now(datetime.UTC)
            within = find_segment(connection, sent.segment, project.config, now).condition
        came = newcomers(connection, sent, within)
        left = leavers(connection, sent, within)
        every = chain(((CAME, each) for each in came), ((LEFT, each) for each in left))
        if as_json:
            _print(every)
            return
        zone = ZoneInfo(project.config.timezone)
        say(f"{name}, sent to {sent.total:,} on {moment(sent.frozen_at, zone)}")
        _show(every, zone, limit)


def _print(found: Found) -> None:
    for word, each in found:
        at = each.at.isoformat() if each.at else None
        say(json.dumps({"change": word, **each._asdict(), "at": at}, ensure_ascii=False))


def _show(found: Found, zone: datetime.tzinfo, limit: int) -> None:
    counts: dict[str, Counter[str]] = {CAME: Counter(), LEFT: Counter()}
    shown: list[str] = []
    for word, each in found:
        counts[word][each.why] += 1
        if not limit or len(shown) < limit:
            shown.append(_line(word, each, zone))
    total = sum(counter.total() for counter in counts.values())
    say(fields((word, _counted(counter)) for word, counter in counts.items()))
    for line in shown:
        say(line)
    if total > len(shown):
        note(f"and {total - len(shown):,} more; all of them with --limit 0")


def _counted(counter: Counter[str]) -> str:
    return f"{counter.total():,}: {by_status(counter)}" if counter else "nobody"


def _line(word: str, each: "Difference", zone: datetime.tzinfo) -> str:
    when = f" {moment(each.at, zone)}" if each.at else ""
    how = ", ".join(filter(None, (each.how, each.source)))
    why = f"{each.why}{when}" + (f" ({how})" if how else "")
    return f"  {'+' if word == CAME else '-'} {each.address or 'somebody'}  {why}"
