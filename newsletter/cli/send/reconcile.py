"""``newsletter reconcile``: what is unknown is settled by SendGrid's events."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo, echo_err
from newsletter.cli.send.shared import (
    SendContext,
    open_send_context,
    pluralize,
    print_unknown_batches,
)

if TYPE_CHECKING:
    from newsletter.sending.ledger.reconcile import ReconcileResult


@click.command("reconcile", short_help="Settle what is unknown by SendGrid's events.")
@click.argument("issue")
@click.option(
    "--events", "file", metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Events of SendGrid's, as JSON, one or a list of them a line.",
)  # fmt: skip
def reconcile_command(issue: str, *, file: Path | None) -> int:
    """Settle unknown batches by SendGrid's events: any that names a batch proves it was taken.

    Uses the events on record, and those of FILE, which are recorded with all that they change.
    May be done as often as one likes. That no event names a batch proves nothing, and
    changes nothing.

    \b
    Examples:
      newsletter reconcile building-trust
      newsletter reconcile building-trust --events events.jsonl
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.sending.ledger.reconcile import reconcile_send as settle
    from newsletter.sending.ledger.status import get_send_status

    with open_send_context(issue) as it:
        if file:
            echo(f"{pluralize(_record_events(it, file), 'new event')} recorded.")
        done = settle(it.ledger, it.send)
        _print_result(done)
        status = get_send_status(it.ledger, it.send)
        print_unknown_batches(status)
        echo(f"{it.send.slug} is {done.state.replace('_', ' ')}.")
        if status.recipients_by_state.get("pending") and done.state in {"paused", "blocked"}:
            echo(f"Next: newsletter resume {it.send.slug}")
        return 1 if status.unknown_batches else 0


def _record_events(context: SendContext, file: Path) -> int:
    from newsletter.errors import display_path
    from newsletter.events.parse import parse_event_lines
    from newsletter.sending.feedback.event_intake import chunk_events, ingest_events

    with file.open("rb") as lines:  # all of it is read once before any of it is used
        for _ in parse_event_lines(lines, display_path(file)):
            pass
    with file.open("rb") as lines:
        events = chunk_events(parse_event_lines(lines, display_path(file)))
        return sum(
            ingest_events(context.ledger, context.project.config, page).new_count for page in events
        )


def _print_result(result: "ReconcileResult") -> None:
    for number in result.accepted_batches:
        echo(f"batch {number} was accepted: SendGrid's events name it.", color="green")
    if result.accepted_recipients:
        echo(f"{pluralize(result.accepted_recipients, 'reader')} settled.")
    for number in result.duplicated_batches:
        echo_err(
            f"batch {number} was taken by SendGrid more than once: it was sent again by hand "
            "before this event came.",
            color="red",
        )
    for number in result.in_progress_batches:
        echo_err(f"batch {number} is with a sender just now; run this again later.", color="yellow")
