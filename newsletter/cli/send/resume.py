"""``newsletter resume``: continue a stopped send."""

import click

from newsletter.cli.send.shared import (
    concurrency_option,
    open_send_context,
    report_run,
    terminal_observer,
)


@click.command("resume", short_help="Resume a send that was stopped.")
@click.argument("issue", required=False)
@concurrency_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")
def resume_command(issue: str | None, *, concurrency: int, as_json: bool) -> int:
    """Resume a send that was paused, blocked or killed, where it stopped.

    ISSUE is an issue's name or a part of it; the latest send if left out. What was planned
    is sent, even if the issue's files have changed since. What is unknown is not sent again.

    \b
    Example:
      newsletter resume building-trust
    """  # noqa: D301 - \b is click's marker: don't rewrap
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.ledger.state_machine import next_state
    from newsletter.sending.service import resume

    with open_send_context(issue) as context:
        next_state("resume", context.send, get_ledger_time(context.ledger))
        outcome = resume(context, terminal_observer(context), concurrency)
        return report_run(context, outcome, as_json=as_json)
