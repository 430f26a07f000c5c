"""``newsletter resolve``: resolve unknown batches by hand."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err
from newsletter.cli.send.shared import open_send_context, print_send_json
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.ledger.state_machine import Resolution

RESOLUTION_MEANINGS = {
    "accepted": "counts as sent: nobody gets it again",
    "resend": "is sent again: readers who already have it get it twice",
    "drop": "is given up: readers who don't have it never will",
}


@click.command("resolve", short_help="Resolve unknown batches by hand.")
@click.argument("issue")
@click.argument("batches", metavar="[BATCH]...", nargs=-1, type=click.IntRange(1))
@click.option("--accepted", "how", flag_value="accepted", help="SendGrid accepted it: it is sent.")
@click.option("--resend", "how", flag_value="resend", help="SendGrid did not: send it again.")
@click.option(
    "--drop", "how", flag_value="drop", help="Give it up, whether or not readers have it."
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def resolve_command(
    issue: str, batches: tuple[int, ...], *, how: "Resolution | None", yes: bool, as_json: bool
) -> None:
    """Resolve batches that are unknown; all of them, or those whose numbers are given.

    Look one of the readers up in SendGrid's Activity first, or let SendGrid's events decide
    with newsletter reconcile. Only unknown batches are changed.

    \b
    Examples:
      newsletter resolve building-trust --accepted 2
      newsletter resolve building-trust --resend 2 5
    """
    from newsletter.sending.ledger.leases import expire_leases
    from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches

    if how is None:
        raise click.UsageError("choose one: --accepted, --resend or --drop")
    show = echo_err if as_json else echo  # what is to be confirmed
    with open_send_context(issue) as context:
        expire_leases(context.ledger, context.send)
        unknown_batches = find_unknown_batches(context.ledger, context.send, batches)
        for batch in unknown_batches:
            more = batch.recipient_count - len(batch.sample_addresses)
            addresses = ", ".join(batch.sample_addresses) + (f" and {more:,} more" if more else "")
            readers = format_count(batch.recipient_count, "reader")
            show(f"batch {batch.number}: {readers}: {addresses}")
        show(f"Each {RESOLUTION_MEANINGS[how]}.", color="yellow")
        if not yes:
            click.confirm("Resolve it this way?", abort=True, err=True)
        state = resolve_batches(context.ledger, context.send, unknown_batches, how)
        if as_json:
            print_send_json(context, resolved=[batch.number for batch in unknown_batches])
            return
        phrase = "is scheduled again" if state == "frozen" else f"is {state.replace('_', ' ')}"
        echo(f"Resolved. {context.send.slug} {phrase}.", color="green")
        if state == "frozen":
            echo(f"Next: newsletter status {context.send.slug}")
        elif how == "resend" and state != "running":
            echo(f"Next: newsletter resume {context.send.slug}")
        elif state == "needs_review":
            echo(f"Next: newsletter status {context.send.slug}")
