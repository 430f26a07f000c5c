"""``newsletter events import``: import SendGrid's events from a file.

For newsletters without a public server for the webhook.
"""

import datetime
import gc
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo_err, print_json
from newsletter.cli.progress import progress_bar
from newsletter.cli.project_database import open_project_database
from newsletter.cli.reports.intake_result import intakes_to_dict, print_intakes
from newsletter.cli.reports.unreadable_events import unreadable_events_command
from newsletter.errors import Problem, display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.sending.feedback.event_intake import IntakeTotals
    from newsletter.sending.ledger.record import Ledger

_MAX_SPOOL_BYTES = 1_000_000
# With fewer, PostgreSQL's old statistics do no harm.
_MIN_ANALYZED_EVENTS = 10_000


@click.group("events")
def events_group() -> None:
    """Import SendGrid's events; list unreadable ones.

    Delivered, bounced, opened, unsubscribed: all events that its Event Webhook reports.

    \b
    Examples:
      newsletter events import events.jsonl
      newsletter events unreadable
    """


events_group.add_command(unreadable_events_command)


@events_group.command("import", short_help="Import a file of SendGrid's events.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@json_option
def import_events_command(file: str, *, as_json: bool) -> None:
    """Import FILE: SendGrid's events as JSON, one event or a list of events per line.

    FILE may be - for standard input. It does what the webhook of newsletter serve does: each
    event is recorded once, whoever has bounced, complained or unsubscribed is marked, and
    unknown batches of a send are resolved. Importing a file again changes nothing, except that
    an unsubscribe without id and time counts again for a reader who has returned since. A line
    that is not an event is kept for newsletter events unreadable; a file without any event is
    rejected.

    \b
    Examples:
      newsletter events import events.jsonl
      gunzip -c events.jsonl.gz | newsletter events import -
    """
    from newsletter.project import open_project
    from newsletter.sending.feedback.event_intake import IntakeTotals
    from newsletter.sending.ledger.find_sends import open_ledger

    project = open_project()
    name = "the input" if file == "-" else display_path(Path(file))
    with _open_seekable(file) as data, open_project_database(project) as engine:
        totals = IntakeTotals(applied_reports=[] if as_json else None)
        unreadable = _record_all_events(
            open_ledger(engine, project.config), project.config, data, name, totals
        )
    if as_json:
        print_json({**intakes_to_dict(totals), "unreadable": unreadable})
        return
    print_intakes(totals)
    if unreadable:
        verb = "isn't an event and was kept" if unreadable == 1 else "aren't events and were kept"
        echo_err(
            f"{format_count(unreadable, 'line')} {verb}. See: newsletter events unreadable",
            color="yellow",
        )


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
    ledger: "Ledger", config: "Config", data: IO[bytes], name: str, totals: "IntakeTotals"
) -> int:
    """Add to the totals what the events of a file change; return how many lines are unreadable."""
    from newsletter.db.postgresql.owner_functions import analyze_tables
    from newsletter.db.schema import event
    from newsletter.events.parse import Event
    from newsletter.events.read_events import iter_file_entries
    from newsletter.sending.feedback.event_intake import (
        chunk_events,
        ingest_events,
        reconcile_from_events,
    )

    now = datetime.datetime.now(datetime.UTC)
    total = _count_entries(data, name, now)
    data.seek(0)
    unreadable_count = 0
    with progress_bar(total, "Importing") as advance:
        for entries in chunk_events(iter_file_entries(data, name, now)):
            events = [entry for entry in entries if isinstance(entry, Event)]
            unreadable = [entry for entry in entries if not isinstance(entry, Event)]
            intake = ingest_events(ledger, config, events, unreadable)
            totals.add(intake, reconcile_from_events(ledger, events))
            unreadable_count += len(unreadable)
            advance(len(entries))
            # Statements are reference cycles, and keep the ids and addresses that they ask for. The
            # command line lets those of dozens of parts pile up before it collects any.
            gc.collect(0)
    if totals.new_count >= _MIN_ANALYZED_EVENTS:
        with ledger.engine.begin() as connection:
            analyze_tables(connection, event)
    return unreadable_count


def _count_entries(data: IO[bytes], name: str, now: datetime.datetime) -> int:
    """Count the entries of a file, before any of it is recorded.

    Raises:
        SubscriberListError: none of them is an event: this is another kind of file.
    """
    from newsletter.events.parse import Event
    from newsletter.events.read_events import (
        MAX_PROBLEMS,
        iter_file_entries,
        nothing_imported_error,
        unreadable_problem,
    )

    data.seek(0)
    event_count, unreadable_count = 0, 0
    problems: list[Problem] = []
    for entry in iter_file_entries(data, name, now):
        if isinstance(entry, Event):
            event_count += 1
            continue
        unreadable_count += 1
        if len(problems) < MAX_PROBLEMS:
            problems.append(unreadable_problem(entry))
    if problems and not event_count:
        raise nothing_imported_error(problems)
    return event_count + unreadable_count
