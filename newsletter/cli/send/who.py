"""``newsletter who``: each reader's fate."""

import json

import click

from newsletter.cli.output import echo, echo_err
from newsletter.cli.send.shared import RECIPIENT_STATE_LABELS, open_send_context


@click.command("who", short_help="See what became of each reader of a send, and why.")
@click.argument("issue")
@click.option("--missed", is_flag=True, help="Only those who have not got it for sure.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a reader and line.")
def who_command(issue: str, *, missed: bool, as_json: bool) -> None:
    """See what became of each reader who was to get an issue, and why.

    ISSUE is an issue's name or a part of it. Columns: the address, what became of it, its
    batch, the reason.

    \b
    Examples:
      newsletter who building-trust --missed
      newsletter who building-trust --json > readers.jsonl
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.db import read_transaction
    from newsletter.sending.ledger.recipient_status import iter_recipients

    with open_send_context(issue) as it:
        with read_transaction(it.ledger.engine) as connection:
            for one in iter_recipients(connection, it.send, only_missed=missed):
                if as_json:
                    echo(json.dumps(one._asdict(), ensure_ascii=False))
                else:
                    state = RECIPIENT_STATE_LABELS[one.state]
                    echo(f"{one.address}\t{state}\tbatch {one.batch}\t{one.reason}")
        left_out = [f"{count:,} {why}" for why, count in it.send.excluded.items()]
        if left_out and not as_json:
            echo_err(f"The plan left out: {', '.join(left_out)}.")
