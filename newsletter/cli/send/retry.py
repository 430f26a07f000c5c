"""``newsletter retry``: readers whom SendGrid refused get another request."""

import click

from newsletter.cli.output import confirm_count, echo
from newsletter.cli.send.shared import (
    concurrency_option,
    open_send_context,
    pluralize,
    report_run,
    resume_send,
)


@click.command("retry", short_help="Send again to the readers whom SendGrid refused.")
@click.argument("issue")
@click.option("--yes", is_flag=True, help="Don't ask for the count to be typed.")
@concurrency_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def retry_command(issue: str, *, yes: bool, concurrency: int, as_json: bool) -> int:
    """Send again to the readers whom SendGrid refused, in new batches.

    ISSUE is an issue's name or a part of it. A refused reader has never had the mail, so
    nobody gets it twice. Whoever has left the list since is left out. See first who was
    refused, and why, with: newsletter who ISSUE --missed

    \b
    Example:
      newsletter retry building-trust
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.sending.ledger import pause_cancel_retry
    from newsletter.sending.ledger.find_sends import find_send
    from newsletter.sending.ledger.record import count_recipients_by_state, get_ledger_time
    from newsletter.sending.ledger.state_machine import next_state

    with open_send_context(issue) as it:
        next_state("retry", it.send, get_ledger_time(it.ledger))
        rejected = count_recipients_by_state(it.ledger, it.send).get("rejected", 0)
        if rejected and not as_json:
            echo(f"{pluralize(rejected, 'reader')} of {it.send.slug} were refused by SendGrid.")
        if rejected and not yes:
            confirm_count(rejected, "send again")
        size = it.project.config.limits.batch_size
        if it.project.config.sendgrid.personalize == "per_request":
            size = 1
        pause_cancel_retry.retry_rejected(
            it.ledger, it.send, min(size, it.send.limit_per_hour or size)
        )
        again = it._replace(send=find_send(it.ledger, it.send.issue))
        return report_run(again, resume_send(again, concurrency), as_json=as_json)
