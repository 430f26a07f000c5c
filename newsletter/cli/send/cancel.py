"""``newsletter cancel``: cancel a send, at SendGrid too if it is held."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo, echo_err
from newsletter.cli.send.shared import CANCELLATION_CAVEAT, open_send_context, pluralize

if TYPE_CHECKING:
    from newsletter.sending.service import SendContext


@click.command(
    "cancel", short_help="Cancel what has not been sent yet, or what SendGrid still holds."
)
@click.argument("issue")
def cancel_command(issue: str) -> None:
    """Cancel for good what has not been sent yet, and what SendGrid holds until its time.

    ISSUE is an issue's name or a part of it. Emails that were delivered can't be recalled. A
    plan of which nothing was sent is simply discarded: the issue can be sent another time.

    \b
    Example:
      newsletter cancel building-trust
    """  # noqa: D301 - \b is click's marker: don't rewrap
    from newsletter.errors import NothingToDoError
    from newsletter.sending.ledger import pause_cancel_retry
    from newsletter.sending.ledger.record import (
        count_recipients_by_state,
        get_ledger_time,
        may_have_been_sent,
    )
    from newsletter.sending.ledger.state_machine import is_recallable

    with open_send_context(issue) as context:
        is_held = is_recallable(context.send, get_ledger_time(context.ledger))
        dropped_count = pause_cancel_retry.cancel_send(context.ledger, context.send)
        is_held = is_held and may_have_been_sent(context.ledger, context.send)
        # A second cancellation may find readers whose requests were in flight at the first.
        if context.send.state == "cancelled" and not (is_held or dropped_count):
            raise NothingToDoError(f"{context.send.issue} was cancelled already")
        dropped = pluralize(dropped_count, "reader")
        echo(f"{context.send.slug} is cancelled: {dropped} will not get it.")
        accepted_count = count_recipients_by_state(context.ledger, context.send).get("accepted", 0)
        if is_held:
            _cancel_scheduled(context, accepted_count)
        elif accepted_count:
            echo_err(f"{pluralize(accepted_count, 'reader')} had it already.", color="yellow")


def _cancel_scheduled(context: "SendContext", accepted: int) -> None:
    from newsletter.sending.ledger.pause_cancel_retry import mark_recalled
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.planning.schedule import PROVIDER_CANCEL_MARGIN
    from newsletter.sending.providers.sendgrid.scheduled_sends import cancel_scheduled
    from newsletter.sending.service import open_client

    with open_client(context.project.config) as client:
        cancel_scheduled(client, context.send.provider_batch_id)
    mark_recalled(context.ledger, context.send)
    echo(f"SendGrid has cancelled what it held for {pluralize(accepted, 'reader')}.", color="green")
    if (
        context.send.scheduled_at
        and context.send.scheduled_at - get_ledger_time(context.ledger) < PROVIDER_CANCEL_MARGIN
    ):
        echo_err(
            "That was less than 10 minutes before its time: SendGrid guarantees nothing then, and "
            "some readers may get it.",
            color="yellow",
        )
    else:
        echo_err(CANCELLATION_CAVEAT)
