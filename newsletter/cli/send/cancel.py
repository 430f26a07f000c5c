"""``newsletter cancel``: cancel a send, at SendGrid too if it is held."""

import os
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err
from newsletter.cli.send.shared import open_send_context, print_send_json
from newsletter.errors import ProviderError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.recall import LocalCancellation
    from newsletter.sending.service import SendContext


@click.command(
    "cancel", short_help="Cancel what has not been sent yet, or what SendGrid still holds."
)
@click.argument("issue")
@json_option
def cancel_command(issue: str, *, as_json: bool) -> None:
    """Cancel what has not been sent yet, and what SendGrid holds until its time.

    ISSUE is an issue's name or a part of it. Emails that were delivered can't be recalled. If
    nobody has got it, the issue can be changed and sent another time: nothing of it was sent,
    or SendGrid has confirmed at least 10 minutes before its time that it is cancelled. If
    SendGrid has not, the exit code is 1, and it may still go out.

    To send the same at another time, use: newsletter reschedule

    \b
    Example:
      newsletter cancel building-trust
    """
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.ledger.send_phase import is_recallable
    from newsletter.sending.providers.registry import get_provider
    from newsletter.sending.recall import cancel_locally, recall_send

    with open_send_context(issue) as context:
        ledger, send, config = context.ledger, context.send, context.project.config
        if not is_recallable(send, get_ledger_time(ledger)):
            _print_cancelled(context, cancel_locally(ledger, send, config), as_json=as_json)
            return
        # The client first: without a key, nothing is changed.
        with get_provider(config).connect(os.environ) as client:
            cancellation = cancel_locally(ledger, send, config)
            if not cancellation.is_recallable:
                _print_cancelled(context, cancellation, as_json=as_json)
                return
            dropped = cancellation.dropped_count
            if dropped and not as_json:
                count = format_count(dropped, "reader")
                echo(f"Not handed to SendGrid: {count}. Asking it to cancel the others.")
            try:
                recall_send(ledger, cancellation.send, client)
            except ProviderError:
                if as_json:
                    print_send_json(context, dropped=dropped)
                raise
        if as_json:
            print_send_json(context, dropped=dropped)
        else:
            _print_recalled(context)


def _print_cancelled(
    context: "SendContext", cancellation: "LocalCancellation", *, as_json: bool
) -> None:
    from newsletter.sending.ledger.status import get_send_status

    if as_json:
        print_send_json(context, dropped=cancellation.dropped_count)
        return
    status = get_send_status(context.ledger, context.send)
    slug, counts = context.send.slug, status.recipients_by_state
    dropped = cancellation.dropped_count
    readers = f": {format_count(dropped, 'reader')} will not get it" if dropped else ""
    echo(f"{slug} is cancelled{readers}.", color="green")
    if counts.get("accepted"):
        echo_err(f"{format_count(counts['accepted'], 'reader')} had it already.", color="yellow")
    if counts.get("unknown"):
        unknown = format_count(counts["unknown"], "reader")
        echo_err(f"{unknown} may or may not have it. See: newsletter status {slug}", color="yellow")
    if status.in_flight_recipients:
        in_flight = format_count(status.in_flight_recipients, "reader")
        echo_err(f"{in_flight} may still get it: their requests are in flight.", color="yellow")


def _print_recalled(context: "SendContext") -> None:
    from newsletter.sending.ledger.record import count_recipients_by_state

    send = context.send
    counts = count_recipients_by_state(context.ledger, send)
    held = sum(counts.get(state, 0) for state in ("accepted", "unknown"))
    all_readers = held + sum(counts.get(state, 0) for state in ("dropped", "pending"))
    echo(
        f"{send.slug} is cancelled: {format_count(all_readers, 'reader')} will not get it.",
        color="green",
    )
    echo(f"SendGrid has cancelled what it held for {format_count(held, 'reader')}.")
    echo(f"Send it as it is now: {send.send_command}")
    echo(f"The same at another time: newsletter reschedule {send.slug} --at TIME")
