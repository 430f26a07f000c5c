"""``newsletter cancel``: what has not left never leaves."""

import click

from newsletter.cli.output import note, say
from newsletter.cli.sends import NOT_CALLED_BACK, Found, found, mailer, many


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
    from newsletter.sending import control
    from newsletter.sending.decisions import recallable
    from newsletter.sending.ledger import has_left, now, readers_by_state

    with found(issue) as it:
        held = recallable(it.send, now(it.ledger))
        given_up = control.cancel(it.ledger, it.send)
        say(f"{it.send.slug} is cancelled: {many(given_up, 'reader')} will not get it.")
        taken = readers_by_state(it.ledger, it.send).get("accepted", 0)
        if held and has_left(it.ledger, it.send):
            _take_back(it, taken)
        elif taken:
            note(f"{many(taken, 'reader')} had it already.", colour="yellow")


def _take_back(it: Found, taken: int) -> None:
    from newsletter.sending.control import recalled
    from newsletter.sending.holding import take_back
    from newsletter.sending.ledger import now
    from newsletter.sending.schedule import VENDOR_PROMISE

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
