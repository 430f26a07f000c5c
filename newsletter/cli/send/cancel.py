"""``newsletter cancel``: what has not left never leaves."""

import click

from newsletter.cli.output import note, say
from newsletter.cli.send.shared import NOT_CALLED_BACK, Found, found, mailer, many


@click.command(short_help="Give up what has not left; take back what SendGrid holds.")
@click.argument("issue")
def cancel(issue: str) -> None:
    """Give up what has not left yet, for good; take back what SendGrid holds until its time.

    ISSUE is an issue's name or a part of it. Mail that readers have can't be taken back. A
    plan of which nothing has left is simply given up: the issue can be sent another time.

    \b
    Example:
      newsletter cancel building-trust
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.sending.ledger import pause_cancel_retry
    from newsletter.sending.ledger.record import has_left, now, readers_by_state
    from newsletter.sending.ledger.state_machine import recallable

    with found(issue) as it:
        held = recallable(it.send, now(it.ledger))
        given_up = pause_cancel_retry.cancel(it.ledger, it.send)
        say(f"{it.send.slug} is cancelled: {many(given_up, 'reader')} will not get it.")
        taken = readers_by_state(it.ledger, it.send).get("accepted", 0)
        if held and has_left(it.ledger, it.send):
            _take_back(it, taken)
        elif taken:
            note(f"{many(taken, 'reader')} had it already.", colour="yellow")


def _take_back(it: Found, taken: int) -> None:
    from newsletter.sending.ledger.pause_cancel_retry import recalled
    from newsletter.sending.ledger.record import now
    from newsletter.sending.planning.schedule import VENDOR_PROMISE
    from newsletter.sending.providers.sendgrid.scheduled_sends import take_back

    with mailer(it.project) as vendor:
        take_back(vendor, it.send.vendor_batch_id)
    recalled(it.ledger, it.send)
    say(f"SendGrid takes back what it holds for {many(taken, 'reader')}.", colour="green")
    if it.send.scheduled_at and it.send.scheduled_at - now(it.ledger) < VENDOR_PROMISE:
        note(
            "That was less than 10 minutes before its time: SendGrid promises nothing then, and "
            "some readers may get it.",
            colour="yellow",
        )
    else:
        note(NOT_CALLED_BACK)
