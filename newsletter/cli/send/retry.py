"""``newsletter retry``: send again to recipients that SendGrid rejected."""

import click

from newsletter.cli.options import (
    concurrency_option,
    json_option,
    repeat_article_option,
    strict_option,
    wait_option,
    yes_option,
)
from newsletter.cli.output import confirm_count, echo
from newsletter.cli.send.run_result import count_recipients, deliver_or_hand_over
from newsletter.cli.send.shared import open_send_context, refuse_copied_database
from newsletter.wording import format_count


@click.command("retry", short_help="Send again to the readers whom SendGrid refused.")
@click.argument("issue")
@yes_option
@repeat_article_option
@concurrency_option
@wait_option
@strict_option
@json_option
def retry_command(  # noqa: PLR0913 - one parameter per option
    issue: str,
    *,
    yes: bool,
    repeat_article: bool,
    concurrency: int,
    wait: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Send again to the readers whom SendGrid refused, in new batches.

    ISSUE is an issue's name or a part of it. A refused reader has never got the email, so
    nobody gets it twice. Readers who have unsubscribed since are left out. See first who was
    refused, and why, with: newsletter who ISSUE --missed. If nobody was, the exit code is 3.
    As with newsletter send, workers send it if any is running.

    \b
    Example:
      newsletter retry building-trust
    """
    from newsletter.sending.ledger import pause_cancel_retry
    from newsletter.sending.ledger.find_sends import find_send
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.ledger.state_machine import next_state
    from newsletter.sending.planning.audience import recipient_state_condition
    from newsletter.sending.planning.frozen_content import load_frozen_email
    from newsletter.sending.planning.repeated_article import require_new_article
    from newsletter.sending.providers.registry import get_provider
    from newsletter.sending.service import resume

    with open_send_context(issue) as context:
        refuse_copied_database(context.ledger)
        next_state("retry", context.send, get_ledger_time(context.ledger))
        rejected = count_recipients(context).get("rejected", 0)
        if rejected and not repeat_article:
            require_new_article(
                context.project,
                context.ledger,
                load_frozen_email(context.ledger, context.send),
                recipient_state_condition(context.send, "rejected"),
            )
        if rejected and not as_json:
            echo(f"SendGrid refused {format_count(rejected, 'reader')} of {context.send.slug}.")
        if rejected and not yes:
            confirm_count(rejected, "send again")
        config = context.project.config
        batch_size = min(config.limits.batch_size, get_provider(config).max_batch_size)
        pause_cancel_retry.retry_rejected(
            context.ledger, context.send, min(batch_size, context.send.limit_per_hour or batch_size)
        )
        retried = context._replace(send=find_send(context.ledger, context.send.issue))
        return deliver_or_hand_over(
            retried,
            lambda observe: resume(retried, observe, concurrency),
            wait=wait,
            strict=strict,
            as_json=as_json,
        )
