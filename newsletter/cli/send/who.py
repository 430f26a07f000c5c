"""``newsletter who``: print the result of a send for each recipient."""

import click

from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.send.shared import open_send_context


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

    ISSUE is an issue's name or a part of it. Columns: the address, the result, the batch,
    the reason.

    \b
    Examples:
      newsletter who building-trust --missed
      newsletter who building-trust --json > readers.jsonl
    """
    from newsletter.db import read_transaction
    from newsletter.sending.ledger.recipient_status import RECIPIENT_STATE_LABELS, iter_recipients

    with open_send_context(issue) as context:
        with read_transaction(context.ledger.engine) as connection:
            for recipient in iter_recipients(connection, context.send, only_missed=missed):
                if as_json:
                    print_json(recipient._asdict())
                else:
                    state = RECIPIENT_STATE_LABELS[recipient.state].in_send.format(
                        provider=context.send.provider_name
                    )
                    echo(
                        f"{recipient.address}\t{state}\tbatch {recipient.batch}\t{recipient.reason}"
                    )
        left_out = [f"{count:,} {why}" for why, count in context.send.excluded.items()]
        if left_out and not as_json:
            echo_err(f"The plan left out: {', '.join(left_out)}.")
