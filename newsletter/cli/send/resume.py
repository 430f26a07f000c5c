"""``newsletter resume``: continue a stopped send. Start sends that are due."""

from functools import partial
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import concurrency_option, json_option, strict_option, wait_option
from newsletter.cli.output import echo
from newsletter.cli.send.run_result import (
    count_recipients,
    deliver_or_hand_over,
    finished_send_error,
)
from newsletter.cli.send.shared import open_notifier, open_send_context, refuse_copied_database
from newsletter.errors import NewsletterError, Problem

if TYPE_CHECKING:
    from newsletter.project import Project
    from newsletter.sending.ledger.record import Ledger


@click.command("resume", short_help="Resume a send that was stopped.")
@click.argument("issue", required=False)
@concurrency_option
@wait_option
@strict_option
@json_option
def resume_command(
    issue: str | None, *, concurrency: int, wait: bool, strict: bool, as_json: bool
) -> int:
    """Resume a send that was paused, blocked or killed, where it stopped.

    ISSUE is an issue's name or a part of it; the latest send if left out. What was planned
    is sent, even if the issue's files have changed since. What is unknown is not sent again.
    If the send has finished, the exit code is 3.

    As with newsletter send, workers send it if any is running.

    \b
    Example:
      newsletter resume building-trust
    """
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.ledger.state_machine import next_state
    from newsletter.sending.planning.preflight import finished_send_problem
    from newsletter.sending.service import resume

    with open_send_context(issue) as context:
        refuse_copied_database(context.ledger)
        if context.send.state == "done":
            config, before = context.project.config, count_recipients(context)
            problem = finished_send_problem(context.send, config, before)
            raise finished_send_error(problem, before, strict=strict)
        next_state("resume", context.send, get_ledger_time(context.ledger))
        return deliver_or_hand_over(
            context,
            lambda observe: resume(context, observe, concurrency),
            wait=wait,
            strict=strict,
            as_json=as_json,
        )


def resume_due_sends(  # noqa: PLR0913 - the command's options
    project: "Project",
    ledger: "Ledger",
    concurrency: int,
    *,
    wait: bool,
    strict: bool,
    as_json: bool,
) -> int:
    """Start every send that is due, then notify the editor about those that have stopped.

    One that fails doesn't keep the others from starting.
    """
    from newsletter.sending.ledger.find_sends import iter_due_sends
    from newsletter.sending.notifications.periodic_check import notify_overdue
    from newsletter.sending.service import SendContext, resume

    exit_code, problems = 0, list[Problem]()
    try:
        refuse_copied_database(ledger)  # all that was due in it is held
        for send in iter_due_sends(ledger):
            context = SendContext(project, ledger, send)
            if not as_json:
                echo(f"{send.slug} is due.")
            try:
                run_code = deliver_or_hand_over(
                    context,
                    partial(resume, context, concurrency=concurrency, is_due=True),
                    wait=wait,
                    strict=strict,
                    as_json=as_json,
                    is_due=True,
                )
                exit_code = max(exit_code, run_code)
            except NewsletterError as error:
                problems += error.problems
    finally:
        notify_overdue(open_notifier(project, ledger))
    if problems:
        raise NewsletterError.from_problems(problems)
    return exit_code
