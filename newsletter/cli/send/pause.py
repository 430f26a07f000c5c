"""``newsletter pause``: stop a running send after requests in flight."""

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo
from newsletter.cli.send.shared import open_send_context, print_send_json


@click.command("pause", short_help="Stop a running send after the requests in flight.")
@click.argument("issue", required=False)
@json_option
def pause_command(issue: str | None, *, as_json: bool) -> None:
    """Stop a running send: its senders, wherever they run, end after the requests in flight.

    ISSUE is an issue's name or a part of it; the latest send if left out.

    \b
    Example:
      newsletter pause building-trust
    """
    from newsletter.sending.ledger import pause_cancel_retry

    with open_send_context(issue) as context:
        pause_cancel_retry.pause_send(context.ledger, context.send)
        if as_json:
            print_send_json(context)
            return
        echo(f"{context.send.slug} is paused.", color="yellow")
        echo(f"Resume with: newsletter resume {context.send.slug}")
