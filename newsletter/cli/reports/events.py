"""``newsletter events import``: import SendGrid's events from a file.

For newsletters without a public server for the webhook.
"""

import datetime
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.send.shared import pluralize

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.sending.feedback.event_intake import IntakeResult
    from newsletter.sending.ledger.record import Ledger

_MAX_SPOOL_BYTES = 1_000_000


@click.group("events")
def events_group() -> None:
    """Import the events that SendGrid reports.

    Delivered, bounced, opened, unsubscribed: all events that its Event Webhook reports.

    \b
    Example:
      newsletter events import events.jsonl
    """  # noqa: D301 - \b is click's marker: don't rewrap


@events_group.command("import", short_help="Import a file of SendGrid's events.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def import_events_command(file: str, *, as_json: bool) -> None:
    """Import FILE: SendGrid's events as JSON, one event or a list of events per line.

    FILE may be - for standard input. It does what the webhook of newsletter serve does: each
    event is recorded once, whoever has bounced, complained or unsubscribed is marked, and
    unknown batches of a send are resolved. Importing a file again changes nothing. A file with
    a line that is not an event is rejected as a whole.

    \b
    Examples:
      newsletter events import events.jsonl
      gunzip -c events.jsonl.gz | newsletter events import -
    """  # noqa: D301 - \b is click's marker: don't rewrap
    from pathlib import Path

    from newsletter.db import database_engine
    from newsletter.errors import display_path
    from newsletter.project import open_project
    from newsletter.sending.ledger.find_sends import open_ledger

    project = open_project()
    name = "the input" if file == "-" else display_path(Path(file))
    with (
        _open_seekable(file) as data,
        database_engine(project.config.database, project.root, project.config.id) as engine,
    ):
        intakes, resolved = _record_all_events(
            open_ledger(engine, project.config), project.config, data, name
        )
    if as_json:
        print_json(_to_dict(intakes, resolved))
    else:
        _print_result(intakes, resolved)


@contextmanager
def _open_seekable(file: str) -> Iterator[IO[bytes]]:
    """Open a file that can be read twice; standard input is copied to a temporary file."""
    if file != "-":
        with open(file, "rb") as opened:  # noqa: PTH123 - a name as click passes it
            yield opened
        return
    with tempfile.SpooledTemporaryFile(_MAX_SPOOL_BYTES) as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        yield spooled


def _record_all_events(
    ledger: "Ledger", config: "Config", data: IO[bytes], name: str
) -> "tuple[list[IntakeResult], Counter[str]]":
    from newsletter.events.parse import parse_event_lines
    from newsletter.sending.feedback.event_intake import (
        chunk_events,
        ingest_events,
        reconcile_from_events,
    )

    now = datetime.datetime.now(datetime.UTC)
    data.seek(0)
    # Parse the whole file once before recording any of it, so that an invalid file is rejected.
    total = sum(1 for _ in parse_event_lines(data, name, now))
    data.seek(0)
    intakes, resolved = [], Counter[str]()
    with progress_bar(total, "Importing") as advance:
        for page in chunk_events(parse_event_lines(data, name, now)):
            intakes.append(ingest_events(ledger, config, page))
            resolved.update(reconcile_from_events(ledger, page))
            advance(len(page))
    return intakes, resolved


def _to_dict(intakes: "list[IntakeResult]", resolved: "Counter[str]") -> dict[str, Any]:
    return {
        "new": sum(intake.new_count for intake in intakes),
        "known": sum(intake.known_count for intake in intakes),
        "changed": [report._asdict() for intake in intakes for report in intake.applied_reports],
        "settled": dict(resolved),
        "paused": [issue for intake in intakes for issue in intake.paused_issues],
    }


def _print_result(intakes: "list[IntakeResult]", resolved: "Counter[str]") -> None:
    new, known = (
        sum(intake.new_count for intake in intakes),
        sum(intake.known_count for intake in intakes),
    )
    echo(f"{pluralize(new, 'new event')} recorded, {known:,} known before.")
    reports = [report for intake in intakes for report in intake.applied_reports]
    for status, count in Counter(report.after for report in reports if report.listed).items():
        echo(f"{pluralize(count, 'reader')} now {status}.")
    if unlisted_count := sum(not report.listed for report in reports):
        echo(f"{unlisted_count:,} not in the list, and kept out of it from now on.")
    for issue, readers in resolved.items():
        echo(f"{issue}: {pluralize(readers, 'reader')} resolved as accepted.", color="green")
    for issue in (issue for intake in intakes for issue in intake.paused_issues):
        echo_err(f"{issue} was paused. See why: newsletter status {issue[11:]}", color="red")
