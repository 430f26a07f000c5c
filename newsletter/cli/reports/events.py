"""``newsletter events``: takes in what SendGrid reports, for those without a public server."""

import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from newsletter.cli.output import echo, echo_err
from newsletter.cli.progress import progress_bar
from newsletter.cli.send.shared import pluralize

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.sending.feedback.event_intake import IntakeResult
    from newsletter.sending.ledger.record import Ledger

_MAX_SPOOL_BYTES = 1_000_000


@click.group("events")
def events_group() -> None:
    """Take in what SendGrid reports of mails.

    Delivered, bounced, opened, unsubscribed: whatever its Event Webhook would tell.

    \b
    Example:
      newsletter events import events.jsonl
    """  # noqa: D301 - \b is click's own mark: don't rewrap


@events_group.command("import", short_help="Take in a file of SendGrid's events.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def import_events_command(file: str, *, as_json: bool) -> None:
    """Take in FILE, SendGrid's events as JSON, one or a list of them a line; - is the input.

    It does what the webhook of newsletter serve does: each event is recorded once, whoever has
    bounced, complained or unsubscribed is marked, and what was unknown of a send is settled.
    Importing a file again changes nothing. A file with a line that is no event is refused
    whole.

    \b
    Examples:
      newsletter events import events.jsonl
      gunzip -c events.jsonl.gz | newsletter events import -
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from pathlib import Path

    from newsletter.db import database_engine
    from newsletter.errors import display_path
    from newsletter.project import open_project
    from newsletter.sending.ledger.find_sends import open_ledger

    project = open_project()
    name = "the input" if file == "-" else display_path(Path(file))
    with (
        _open_seekable(file) as data,
        database_engine(project.config.database, project.root) as engine,
    ):
        done, settled = _record_all_events(
            open_ledger(engine, project.config), project.config, data, name
        )
    if as_json:
        echo(json.dumps(_to_dict(done, settled), ensure_ascii=False))
    else:
        _print_result(done, settled)


@contextmanager
def _open_seekable(file: str) -> Iterator[IO[bytes]]:
    """A file that can be read twice; what is piped in is put aside first."""
    if file != "-":
        with open(file, "rb") as opened:  # noqa: PTH123 - as click gives it
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

    data.seek(0)
    total = sum(
        1 for _ in parse_event_lines(data, name)
    )  # all is read once before any of it is used
    data.seek(0)
    done, settled = [], Counter[str]()
    with progress_bar(total, "Importing") as advance:
        for page in chunk_events(parse_event_lines(data, name)):
            done.append(ingest_events(ledger, config, page))
            settled.update(reconcile_from_events(ledger, page))
            advance(len(page))
    return done, settled


def _to_dict(intakes: "list[IntakeResult]", resolved: "Counter[str]") -> dict[str, Any]:
    return {
        "new": sum(one.new_count for one in intakes),
        "known": sum(one.known_count for one in intakes),
        "changed": [taken._asdict() for one in intakes for taken in one.applied_reports],
        "settled": dict(resolved),
        "paused": [issue for one in intakes for issue in one.paused_issues],
    }


def _print_result(intakes: "list[IntakeResult]", resolved: "Counter[str]") -> None:
    new, known = sum(one.new_count for one in intakes), sum(one.known_count for one in intakes)
    echo(f"{pluralize(new, 'new event')} recorded, {known:,} known before.")
    taken = [each for one in intakes for each in one.applied_reports]
    for status, count in Counter(each.after for each in taken if each.listed).items():
        echo(f"{pluralize(count, 'reader')} now {status}.")
    if strangers := sum(not each.listed for each in taken):
        echo(f"{strangers:,} not in the list, and kept out of it from now on.")
    for issue, readers in resolved.items():
        echo(f"{issue}: {pluralize(readers, 'reader')} settled as accepted.", color="green")
    for issue in (issue for one in intakes for issue in one.paused_issues):
        echo_err(f"{issue} was paused: SendGrid has changed the account's status.", color="red")
        echo_err(f"See: newsletter status {issue[11:]}")
