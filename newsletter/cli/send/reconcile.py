"""``newsletter reconcile``: resolve unknown batches by SendGrid's events."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err
from newsletter.cli.send.shared import (
    open_send_context,
    print_send_json,
    print_unknown_batches,
)
from newsletter.errors import display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.ledger.reconcile import ReconcileResult
    from newsletter.sending.service import SendContext


@click.command("reconcile", short_help="Resolve unknown batches by SendGrid's events.")
@click.argument("issue")
@click.option(
    "--events",
    "file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="SendGrid's events as JSON, one event or a list of events per line.",
)
@json_option
def reconcile_command(issue: str, *, file: Path | None, as_json: bool) -> int:
    """Resolve unknown batches: SendGrid's event for a batch proves that it was accepted.

    Uses the recorded events, and those of FILE, which are recorded and applied to the list. It
    can be run any number of times. The absence of events for a batch proves nothing, and
    changes nothing.

    \b
    Examples:
      newsletter reconcile building-trust
      newsletter reconcile building-trust --events events.jsonl
    """
    from newsletter.sending.ledger.reconcile import reconcile_send
    from newsletter.sending.ledger.status import get_send_status

    with open_send_context(issue) as context:
        new_count = _record_events(context, file) if file else 0
        if file and not as_json:
            echo(f"{format_count(new_count, 'new event')} recorded.")
        result = reconcile_send(context.ledger, context.send)
        status = get_send_status(context.ledger, context.send)
        if as_json:
            print_send_json(
                context,
                new_events=new_count,
                accepted_batches=result.accepted_batches,
                duplicated_batches=result.duplicated_batches,
                in_progress_batches=result.in_progress_batches,
            )
            return 1 if status.unknown_batches else 0
        _print_result(result)
        print_unknown_batches(status)
        echo(f"{context.send.slug} is {result.state.replace('_', ' ')}.")
        if status.recipients_by_state.get("pending") and result.state in {"paused", "blocked"}:
            echo(f"Next: newsletter resume {context.send.slug}")
        return 1 if status.unknown_batches else 0


def _record_events(context: "SendContext", file: Path) -> int:
    from newsletter.events.read_events import parse_event_lines
    from newsletter.sending.feedback.event_intake import chunk_events, ingest_events

    now = datetime.datetime.now(datetime.UTC)
    # Parse the whole file once before recording any of it, so that an invalid file is rejected.
    with file.open("rb") as lines:
        for _ in parse_event_lines(lines, display_path(file), now):
            pass
    with file.open("rb") as lines:
        events = chunk_events(parse_event_lines(lines, display_path(file), now))
        return sum(
            ingest_events(context.ledger, context.project.config, page).new_count for page in events
        )


def _print_result(result: "ReconcileResult") -> None:
    for number in result.accepted_batches:
        echo(f"batch {number} was accepted: SendGrid's events name it.", color="green")
    if result.accepted_recipients:
        echo(f"{format_count(result.accepted_recipients, 'reader')} resolved.")
    for number in result.duplicated_batches:
        echo_err(
            f"batch {number} was accepted by SendGrid more than once: it was sent again by hand "
            "before this event arrived.",
            color="red",
        )
    for number in result.in_progress_batches:
        echo_err(f"batch {number} is being sent now; run this again later.", color="yellow")
