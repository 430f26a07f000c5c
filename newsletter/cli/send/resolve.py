"""``newsletter resolve``: what is unknown is settled by hand."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.output import echo
from newsletter.cli.send.shared import open_send_context, pluralize

if TYPE_CHECKING:
    from newsletter.sending.ledger.state_machine import Resolution

RESOLUTION_MEANINGS = {
    "accepted": "counts as sent: nobody gets it again",
    "resend": "is sent again: whoever has it already gets it twice",
    "drop": "is given up: whoever has not got it never will",
}


@click.command("resolve", short_help="Settle by hand what is unknown.")
@click.argument("issue")
@click.argument("batches", metavar="[BATCH]...", nargs=-1, type=click.IntRange(1))
@click.option("--accepted", "how", flag_value="accepted", help="SendGrid took it: it is sent.")
@click.option("--resend", "how", flag_value="resend", help="SendGrid has not: send it again.")
@click.option("--drop", "how", flag_value="drop", help="Give it up, whoever has it.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def resolve_command(
    issue: str, batches: tuple[int, ...], *, how: "Resolution | None", yes: bool
) -> None:
    """Settle batches that are unknown; all of them, or those whose numbers are given.

    Look one of the readers up in SendGrid's Activity first, or let SendGrid's events decide
    with newsletter reconcile. Nothing but what is unknown is touched.

    \b
    Examples:
      newsletter resolve building-trust --accepted 2
      newsletter resolve building-trust --resend 2 5
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.sending.ledger.leases import expire_leases
    from newsletter.sending.ledger.resolve import find_unknown_batches
    from newsletter.sending.ledger.resolve import resolve_batches as settle

    if how is None:
        raise click.UsageError("say how: --accepted, --resend or --drop")
    with open_send_context(issue) as it:
        expire_leases(it.ledger, it.send)
        shown = find_unknown_batches(it.ledger, it.send, batches)
        for one in shown:
            more = one.recipient_count - len(one.sample_addresses)
            who = ", ".join(one.sample_addresses) + (f" and {more:,} more" if more else "")
            echo(f"batch {one.number}: {pluralize(one.recipient_count, 'reader')}: {who}")
        echo(f"Each {RESOLUTION_MEANINGS[how]}.", color="yellow")
        if not yes:
            click.confirm("Settle it so?", abort=True, err=True)
        state = settle(it.ledger, it.send, shown, how)
        echo(f"Settled. {it.send.slug} is {state.replace('_', ' ')}.", color="green")
        if how == "resend" and state != "running":
            echo(f"Next: newsletter resume {it.send.slug}")
        elif state == "needs_review":
            echo(f"Next: newsletter status {it.send.slug}")
