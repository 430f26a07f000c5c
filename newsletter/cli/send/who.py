"""``newsletter who``: print the result of a send for each recipient."""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.send.shared import open_send_context
from newsletter.cli.subscribers.queries.issue_argument import format_in_zone
from newsletter.cli.table import align_rows
from newsletter.cli.wrap_message import get_stream_width

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.sending.ledger.recipient_status import RecipientStatus
    from newsletter.sending.ledger.record import Send

ALIGNED_ROWS = 1_000
Row = tuple[str, str, str, str, str, str]


@click.command("who", short_help="Show the result of a send for each reader, and why.")
@click.argument("issue")
@click.option(
    "--missed", is_flag=True, help="Only readers who did not get it, or may not have got it."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per reader, each on a line."
)
def who_command(issue: str, *, missed: bool, as_json: bool) -> None:
    """Show the result of a send for each of its readers, and why.

    ISSUE is an issue's name or a part of it. Columns: the address, the result, the last event
    that SendGrid has reported (delivered, bounced, opened, ...) and its time, the batch, the
    reason. In a pipe, they are separated by tabs. Opens by programs are left out.

    \b
    Examples:
      newsletter who building-trust --missed
      newsletter who building-trust --json > readers.jsonl
    """
    from zoneinfo import ZoneInfo

    from newsletter.db import read_transaction
    from newsletter.sending.ledger.recipient_status import iter_recipients

    with open_send_context(issue) as context:
        with read_transaction(context.ledger.engine) as connection:
            recipients = iter_recipients(connection, context.send, only_missed=missed)
            if as_json:
                for recipient in recipients:
                    at = recipient.last_event_at
                    print_json(recipient._asdict() | {"last_event_at": at and at.isoformat()})
                return
            zone = ZoneInfo(context.project.config.timezone)
            rows = (_make_row(recipient, context.send, zone) for recipient in recipients)
            is_terminal = get_stream_width(sys.stdout) is not None
            for line in _align(rows) if is_terminal else map("\t".join, rows):
                echo(line)
        left_out = [f"{count:,} {why}" for why, count in context.send.excluded.items()]
        if left_out:
            echo_err(f"The plan left out: {', '.join(left_out)}.")


def _make_row(recipient: "RecipientStatus", send: "Send", zone: "ZoneInfo") -> Row:
    from newsletter.sending.ledger.recipient_status import EVENT_LABELS, RECIPIENT_STATE_LABELS

    state = RECIPIENT_STATE_LABELS[recipient.state].in_send.format(provider=send.provider_name)
    event, at = recipient.last_event, recipient.last_event_at
    # That it was accepted is no news if more is known.
    is_implied = event and recipient.state == "accepted" and not send.is_cancelled_at_provider
    return (
        recipient.address,
        state,
        EVENT_LABELS[event] if event else "",
        format_in_zone(at, zone) if at else "",
        f"batch {recipient.batch}",
        "" if is_implied else recipient.reason,
    )


def _align(rows: Iterator[Row]) -> Iterator[str]:
    """Yield the rows in aligned columns, some at a time: there may be a million."""
    while page := list(islice(rows, ALIGNED_ROWS)):
        yield from align_rows(page, cut_column=5)
