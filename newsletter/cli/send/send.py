"""``newsletter send``: send, schedule or dry-run an issue."""

import os
from functools import partial
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from newsletter.cli.options import (
    at_option,
    batch_size_option,
    concurrency_option,
    hold_option,
    local_option,
    no_image_check_option,
    repeat_article_option,
    segment_option,
    strict_option,
    yes_option,
)
from newsletter.cli.output import confirm_count, echo, make_output_private
from newsletter.cli.project_database import open_project_database
from newsletter.cli.send.proposal import (
    format_schedule_rows,
    parse_schedule,
    print_proposal,
    print_scheduled,
    raise_if_refused,
)
from newsletter.cli.send.run_result import count_recipients, report_run
from newsletter.cli.send.shared import (
    back_up_before_send,
    check_published_images,
    open_notifier,
    refuse_copied_database,
    run_and_notify,
)
from newsletter.errors import NewsletterError, Problem, SendRefusedError

if TYPE_CHECKING:
    from newsletter.project import Project
    from newsletter.sending.ledger.record import Ledger
    from newsletter.sending.planning.proposal import SendProposal
    from newsletter.sending.planning.schedule import ScheduledTime


# All that has a meaning for sends that are planned already.
_DUE_OPTIONS = {"due", "by_server", "concurrency", "strict", "yes", "as_json"}


@click.command("send", short_help="Send an issue, or see exactly what would be sent.")
@click.argument("issue", required=False)
@click.option("--dry-run", is_flag=True, help="Do everything but send: write what would be sent.")
@click.option(
    "--with-tokens",
    is_flag=True,
    help="With --dry-run: write the secrets of readers' links, not stand-ins.",
)
@click.option(
    "--samples",
    type=click.IntRange(0, 1000),
    default=3,
    show_default=True,
    help="With --dry-run: how many readers' copies to write as .eml.",
)
@segment_option
@at_option
@hold_option
@local_option
@click.option(
    "--undo-window",
    metavar="LENGTH",
    help="Have SendGrid hold it so long (20m, 2h) that it can still be cancelled.",
)
@click.option("--due", is_flag=True, help="Start what was scheduled here and is due; for cron.")
# Of newsletter serve, which leaves its own heartbeat.
@click.option("--by-server", is_flag=True, hidden=True)
@click.option(
    "--limit-per-hour",
    type=click.IntRange(1),
    metavar="N",
    help="No more than N readers in any hour, however many senders run.",
)
@batch_size_option
@repeat_article_option
@click.option(
    "--catch-up",
    is_flag=True,
    help="Send what was sent to readers who joined since, and to nobody else.",
)
@concurrency_option
@strict_option
@no_image_check_option
@yes_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object instead; with --due one per send.",
)
def send_command(  # noqa: PLR0913 - one parameter per option
    issue: str | None,
    *,
    dry_run: bool,
    with_tokens: bool,
    samples: int,
    segment: str | None,
    at: str | None,
    hold_at_sendgrid: bool,
    local: bool,
    undo_window: str | None,
    due: bool,
    by_server: bool,
    limit_per_hour: int | None,
    batch_size: int | None,
    repeat_article: bool,
    catch_up: bool,
    concurrency: int,
    strict: bool,
    no_image_check: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Send an issue to every reader, once.

    ISSUE is a folder's name or a part of it; the newest if left out. It shows what will
    happen and waits until you have typed the number of readers. What was planned is sent; a
    send that was stopped is resumed. An issue that was sent is not sent again: the exit code
    is 3 if nothing has changed since, 1 if it has.

    Images beside the post must be published by then: each is requested first, and the send
    is refused if one isn't there.

    With --at it waits here until then, and newsletter serve, or cron with newsletter send
    --due, starts it. If neither has been seen lately, it is refused; --local schedules it all
    the same. With --hold-at-sendgrid SendGrid holds the emails, for up to 72 hours. Whoever
    unsubscribes meanwhile still gets one then, and SendGrid guarantees a cancellation only
    until 10 minutes before the scheduled time.

    With --catch-up the email of an issue that was sent goes out again, as it was then, to
    those readers only who have joined since. Nobody gets an issue twice; if nobody has
    joined, the exit code is 3. What was stopped of a catch-up is resumed.

    With --dry-run nothing is sent and no key is needed: every request, as it would be sent,
    and the first readers' copies are written to build/<issue>/dry-run/, readable only by you.
    The secret in each reader's links is replaced by a stand-in of the same length, which
    opens no page; --with-tokens writes the real ones.

    \b
    Examples:
      newsletter send --dry-run
      newsletter send building-trust
      newsletter send building-trust --at 'Tue 09:00'
      newsletter send building-trust --undo-window 20m
      newsletter send building-trust --segment 'tag:vip and not opened:last-3'
      newsletter send building-trust --catch-up
    """
    from newsletter.cli.send.dry_run import perform_dry_run
    from newsletter.project import open_project
    from newsletter.sending.ledger.find_sends import open_ledger
    from newsletter.sending.ledger.heartbeat import record_heartbeat
    from newsletter.sending.planning.image_check import list_image_urls
    from newsletter.sending.planning.preflight import find_resume_problems
    from newsletter.sending.planning.proposal import SendOptions
    from newsletter.sending.planning.schedule import choose_waiting_place
    from newsletter.sending.service import plan

    _check_combinations()
    make_output_private()  # SendGrid may name readers in its reasons
    project = open_project()
    with open_project_database(project) as engine:
        if due:
            ledger = open_ledger(engine, project.config)
            # Not if it can't send: cron often lacks the key.
            if not by_server and not find_resume_problems(project.config, os.environ):
                record_heartbeat(ledger, "due")
            return _start_due_sends(project, ledger, concurrency, strict=strict, as_json=as_json)
        scheduled_time = parse_schedule(
            open_ledger(engine, project.config),
            project.config,
            at,
            undo_window,
            place=choose_waiting_place(local=local, at_provider=hold_at_sendgrid),
            limit_per_hour=limit_per_hour,
        )
        options = SendOptions(
            segment or "",
            batch_size,
            limit_per_hour,
            repeat_article=repeat_article,
            catch_up=catch_up,
        )
        proposal = plan(project, issue, engine, options)
        rows = format_schedule_rows(scheduled_time, project.config, proposal.resumed)
        if dry_run:
            return perform_dry_run(
                proposal, rows, samples, with_tokens=with_tokens, strict=strict, as_json=as_json
            )
        raise_if_refused(proposal, strict=strict)
        if problem := proposal.schedule_problem:
            raise SendRefusedError.from_problems([problem])
        if not no_image_check:
            urls = list_image_urls(proposal)
            issue_name = proposal.prepared_email.email.issue
            check_published_images(proposal.ledger, project.config, issue_name, urls)
        if not as_json:
            print_proposal(proposal, rows)
        if not yes:
            confirm_count(proposal.audience.count, "schedule" if scheduled_time else "send")
        return _confirm_and_deliver(
            proposal, scheduled_time, limit_per_hour, concurrency, strict=strict, as_json=as_json
        )


def _check_combinations() -> None:
    """Reject options that would have no effect beside others, or be ignored."""
    context = click.get_current_context()
    options = context.params
    not_due = [
        parameter.get_error_hint(context)
        for parameter in context.command.params
        if parameter.name not in _DUE_OPTIONS
        and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]
    if options["due"] and not_due:
        raise click.UsageError(
            f"--due starts what was planned earlier; it can't be used with {', '.join(not_due)}"
        )
    if options["catch_up"] and options["segment"]:
        raise click.UsageError(
            "--catch-up sends what was sent, to the segment that it was sent to; it can't be used "
            "with --segment"
        )
    if options["with_tokens"] and not options["dry_run"]:
        raise click.UsageError("--with-tokens is for --dry-run; a send always has them")


def _confirm_and_deliver(  # noqa: PLR0913 - the command's options
    proposal: "SendProposal",
    scheduled_time: "ScheduledTime | None",
    limit_per_hour: int | None,
    concurrency: int,
    *,
    strict: bool,
    as_json: bool,
) -> int:
    from newsletter.sending import service
    from newsletter.sending.planning.send_schedule import request_schedule
    from newsletter.sending.providers.registry import get_provider

    back_up_before_send(proposal.project, proposal.ledger.engine)
    with get_provider(proposal.project.config).connect(os.environ) as client:
        schedule = request_schedule(client, scheduled_time, limit_per_hour)
        context = service.confirm_plan(proposal, schedule)
        if context.send.is_scheduled_locally:
            return print_scheduled(context, as_json=as_json)
        before = count_recipients(context)
        outcome = run_and_notify(
            context, lambda observe: service.deliver(context, client, observe, concurrency)
        )
    return report_run(context, outcome, before, strict=strict, as_json=as_json)


def _start_due_sends(
    project: "Project", ledger: "Ledger", concurrency: int, *, strict: bool, as_json: bool
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
                before = count_recipients(context)
                outcome = run_and_notify(
                    context, partial(resume, context, concurrency=concurrency), is_due=True
                )
                run_code = report_run(context, outcome, before, strict=strict, as_json=as_json)
                exit_code = max(exit_code, run_code)
            except NewsletterError as error:
                problems += error.problems
    finally:
        notify_overdue(open_notifier(project, ledger))
    if problems:
        raise NewsletterError.from_problems(problems)
    return exit_code
