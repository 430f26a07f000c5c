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

from newsletter.cli.output import note, say
from newsletter.cli.progress import progress
from newsletter.cli.send.shared import many

if TYPE_CHECKING:
    from newsletter.config import Config
    from newsletter.sending.feedback.event_intake import Intake
    from newsletter.sending.ledger.record import Ledger

_IN_MEMORY = 1_000_000


@click.group()
def events() -> None:
    """Take in what SendGrid reports of mails.

    Delivered, bounced, opened, unsubscribed: whatever its Event Webhook would tell.

    \b
    Example:
      newsletter events import events.jsonl
    """  # noqa: D301 - \b is click's own mark: don't rewrap


@events.command("import", short_help="Take in a file of SendGrid's events.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def import_events(file: str, *, as_json: bool) -> None:
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

    from newsletter.db import database
    from newsletter.errors import shown
    from newsletter.project import open_project
    from newsletter.sending.ledger.find_sends import ledger_of

    project = open_project()
    name = "the input" if file == "-" else shown(Path(file))
    with _opened(file) as data, database(project.config.database, project.root) as engine:
        done, settled = _take_in(ledger_of(engine, project.config), project.config, data, name)
    if as_json:
        say(json.dumps(_as_data(done, settled), ensure_ascii=False))
    else:
        _tell(done, settled)


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    """A file that can be read twice; what is piped in is put aside first."""
    if file != "-":
        with open(file, "rb") as opened:  # noqa: PTH123 - as click gives it
            yield opened
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        yield spooled


def _take_in(
    ledger: "Ledger", config: "Config", data: IO[bytes], name: str
) -> "tuple[list[Intake], Counter[str]]":
    from newsletter.events.parse import read_events
    from newsletter.sending.feedback.event_intake import pages, settle, take_in

    data.seek(0)
    total = sum(1 for _ in read_events(data, name))  # all is read once before any of it is used
    data.seek(0)
    done, settled = [], Counter[str]()
    with progress(total, "Importing") as advance:
        for page in pages(read_events(data, name)):
            done.append(take_in(ledger, config, page))
            settled.update(settle(ledger, page))
            advance(len(page))
    return done, settled


def _as_data(done: "list[Intake]", settled: "Counter[str]") -> dict[str, Any]:
    return {
        "new": sum(one.new for one in done),
        "known": sum(one.known for one in done),
        "changed": [taken._asdict() for one in done for taken in one.taken],
        "settled": dict(settled),
        "paused": [issue for one in done for issue in one.paused],
    }


def _tell(done: "list[Intake]", settled: "Counter[str]") -> None:
    new, known = sum(one.new for one in done), sum(one.known for one in done)
    say(f"{many(new, 'new event')} recorded, {known:,} known before.")
    taken = [each for one in done for each in one.taken]
    for status, count in Counter(each.after for each in taken if each.listed).items():
        say(f"{many(count, 'reader')} now {status}.")
    if strangers := sum(not each.listed for each in taken):
        say(f"{strangers:,} not in the list, and kept out of it from now on.")
    for issue, readers in settled.items():
        say(f"{issue}: {many(readers, 'reader')} settled as accepted.", colour="green")
    for issue in (issue for one in done for issue in one.paused):
        note(f"{issue} was paused: SendGrid has changed the account's status.", colour="red")
        note(f"See: newsletter status {issue[11:]}")
