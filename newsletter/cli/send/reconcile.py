"""``newsletter reconcile``: what is unknown is settled by SendGrid's events."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import note, say
from newsletter.cli.send.shared import Found, found, many, tell_unknown

if TYPE_CHECKING:
    from newsletter.sending.ledger.reconcile import Reconciled


@click.command(short_help="Settle what is unknown by SendGrid's events.")
@click.argument("issue")
@click.option(
    "--events", "file", metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Events of SendGrid's, as JSON, one or a list of them a line.",
)  # fmt: skip
def reconcile(issue: str, *, file: Path | None) -> int:
    """Settle unknown batches by SendGrid's events: any that names a batch proves it was taken.

    Uses the events on record, and those of FILE, which are recorded with all that they change.
    May be done as often as one likes. That no event names a batch proves nothing, and
    changes nothing.

    \b
    Examples:
      newsletter reconcile building-trust
      newsletter reconcile building-trust --events events.jsonl
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.sending.ledger.reconcile import reconcile as settle
    from newsletter.sending.ledger.status import look

    with found(issue) as it:
        if file:
            say(f"{many(_record(it, file), 'new event')} recorded.")
        done = settle(it.ledger, it.send)
        _tell(done)
        status = look(it.ledger, it.send)
        tell_unknown(status)
        say(f"{it.send.slug} is {done.state.replace('_', ' ')}.")
        if status.readers.get("pending") and done.state in {"paused", "blocked"}:
            say(f"Next: newsletter resume {it.send.slug}")
        return 1 if status.unknown else 0


def _record(it: Found, file: Path) -> int:
    from newsletter.errors import shown
    from newsletter.events.parse import read_events
    from newsletter.sending.feedback.event_intake import pages, take_in

    with file.open("rb") as lines:  # all of it is read once before any of it is used
        for _ in read_events(lines, shown(file)):
            pass
    with file.open("rb") as lines:
        events = pages(read_events(lines, shown(file)))
        return sum(take_in(it.ledger, it.project.config, page).new for page in events)


def _tell(done: "Reconciled") -> None:
    for number in done.batches:
        say(f"batch {number} was accepted: SendGrid's events name it.", colour="green")
    if done.readers:
        say(f"{many(done.readers, 'reader')} settled.")
    for number in done.twice:
        note(
            f"batch {number} was taken by SendGrid more than once: it was sent again by hand "
            "before this event came.",
            colour="red",
        )
    for number in done.waiting:
        note(f"batch {number} is with a sender just now; run this again later.", colour="yellow")
