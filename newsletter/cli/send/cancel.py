"""``newsletter cancel``: what has not left never leaves."""

import click

from newsletter.cli.output import echo, echo_err
from newsletter.cli.send.shared import (
    CANCELLATION_CAVEAT,
    SendContext,
    open_mailer,
    open_send_context,
    pluralize,
)


@click.command("cancel", short_help="Give up what has not left; take back what SendGrid holds.")
@click.argument("issue")
def cancel_command(issue: str) -> None:
    """Give up what has not left yet, for good; take back what SendGrid holds until its time.

    ISSUE is an issue's name or a part of it. Mail that readers have can't be taken back. A
    plan of which nothing has left is simply given up: the issue can be sent another time.

    \b
    Example:
      newsletter cancel building-trust
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.sending.ledger import pause_cancel_retry
    from newsletter.sending.ledger.record import (
        count_recipients_by_state,
        get_ledger_time,
        may_have_been_sent,
    )
    from newsletter.sending.ledger.state_machine import is_recallable

    with open_send_context(issue) as it:
        held = is_recallable(it.send, get_ledger_time(it.ledger))
        given_up = pause_cancel_retry.cancel_send(it.ledger, it.send)
        echo(f"{it.send.slug} is cancelled: {pluralize(given_up, 'reader')} will not get it.")
        taken = count_recipients_by_state(it.ledger, it.send).get("accepted", 0)
        if held and may_have_been_sent(it.ledger, it.send):
            _cancel_scheduled(it, taken)
        elif taken:
            echo_err(f"{pluralize(taken, 'reader')} had it already.", color="yellow")


def _cancel_scheduled(context: SendContext, accepted: int) -> None:
    from newsletter.sending.ledger.pause_cancel_retry import mark_recalled
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.planning.schedule import PROVIDER_CANCEL_MARGIN
    from newsletter.sending.providers.sendgrid.scheduled_sends import cancel_scheduled

    with open_mailer(context.project) as vendor:
        cancel_scheduled(vendor, context.send.provider_batch_id)
    mark_recalled(context.ledger, context.send)
    echo(f"SendGrid takes back what it holds for {pluralize(accepted, 'reader')}.", color="green")
    if (
        context.send.scheduled_at
        and context.send.scheduled_at - get_ledger_time(context.ledger) < PROVIDER_CANCEL_MARGIN
    ):
        echo_err(
            "That was less than 10 minutes before its time: SendGrid promises nothing then, and "
            "some readers may get it.",
            color="yellow",
        )
    else:
        echo_err(CANCELLATION_CAVEAT)
