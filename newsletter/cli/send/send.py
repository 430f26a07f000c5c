"""``newsletter send``: send, schedule or dry-run an issue."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
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
    wait_option,
    yes_option,
)
from newsletter.cli.output import confirm_count, make_output_private
from newsletter.cli.progress import notice_if_slow
from newsletter.cli.project_database import open_project_database
from newsletter.cli.send.proposal import (
    approval_rows,
    format_schedule_rows,
    parse_schedule,
    print_proposal,
    print_scheduled,
    raise_if_refused,
)
from newsletter.cli.send.resume import resume_due_sends
from newsletter.cli.send.run_result import deliver_or_hand_over
from newsletter.cli.send.shared import (
    FREEZING_NOTICE,
    PREPARING_NOTICE,
    back_up_before_send,
    check_published_images,
)
from newsletter.errors import SendRefusedError

if TYPE_CHECKING:
    from newsletter.sending.planning.proposal import SendProposal
    from newsletter.sending.planning.schedule import ScheduledTime


# All that has a meaning for sends that are planned already.
_DUE_OPTIONS = {"due", "by_server", "concurrency", "wait", "strict", "yes", "as_json"}
# What a plan has been approved for -> the parameter.
_PLAN_OPTIONS = {
    "ISSUE": "issue",
    "--segment": "segment",
    "--repeat-article": "repeat_article",
    "--catch-up": "catch_up",
}


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
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Send what this file of newsletter plan --out approves, and nothing else.",
)
@click.option(
    "--accept-count",
    type=click.IntRange(1),
    metavar="N",
    help="With --plan: N readers are right, though the plan has another number.",
)
@concurrency_option
@wait_option
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
    plan_file: Path | None,
    accept_count: int | None,
    concurrency: int,
    wait: bool,
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

    With --plan the issue is sent that a file of newsletter plan --out approves: to the readers
    there are now, of the same segment. It is refused if the email, a file, a template or a
    setting differs, each with its name, or if the number of readers has changed by more than
    5 % and more than one. Without a terminal, the plan is the approval, and nothing is asked.

    If the database is on PostgreSQL and newsletter worker runs somewhere, the workers send it,
    and this command ends; with --wait it shows their progress, and Ctrl-C ends only that.

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
      newsletter send --plan plan.json --yes
    """
    from newsletter.cli.send.dry_run import perform_dry_run
    from newsletter.project import open_project
    from newsletter.sending.approval.bind import get_local_date, hold_to_approval
    from newsletter.sending.approval.plan_file import read_approval_plan
    from newsletter.sending.ledger.find_sends import open_ledger
    from newsletter.sending.ledger.heartbeat import record_heartbeat
    from newsletter.sending.planning.image_check import list_image_urls
    from newsletter.sending.planning.preflight import find_resume_problems
    from newsletter.sending.planning.proposal import SendOptions
    from newsletter.sending.planning.schedule import choose_waiting_place
    from newsletter.sending.service import plan

    _check_combinations()
    make_output_private()  # SendGrid may name readers in its reasons
    approved = read_approval_plan(plan_file) if plan_file else None
    project = open_project()
    with open_project_database(project) as engine:
        if due:
            ledger = open_ledger(engine, project.config)
            # Not if it can't send: cron often lacks the key.
            if not by_server and not find_resume_problems(project.config, os.environ):
                record_heartbeat(ledger, "due")
            return resume_due_sends(
                project, ledger, concurrency, wait=wait, strict=strict, as_json=as_json
            )
        scheduled_time = parse_schedule(
            open_ledger(engine, project.config),
            project.config,
            at,
            undo_window,
            place=choose_waiting_place(local=local, at_provider=hold_at_sendgrid),
            limit_per_hour=limit_per_hour,
        )
        options = SendOptions(
            approved.get_segment_option(project.config) if approved else segment or "",
            batch_size,
            limit_per_hour,
            repeat_article=approved.repeat_article if approved else repeat_article,
            catch_up=catch_up,
        )
        with notice_if_slow(PREPARING_NOTICE):
            proposal = plan(project, approved.issue if approved else issue, engine, options)
        rows = format_schedule_rows(scheduled_time, project.config, proposal.resumed)
        more: dict[str, object] = {}
        if approved and plan_file:
            today = get_local_date(project.config)
            proposal = hold_to_approval(proposal, approved, plan_file, today, accept_count)
            more["approval"] = approved.as_data()
        plan_rows = approval_rows(approved, plan_file)
        if dry_run:
            return perform_dry_run(
                proposal,
                rows,
                samples,
                approval_rows=plan_rows,
                with_tokens=with_tokens,
                strict=strict,
                as_json=as_json,
                more=more,
            )
        raise_if_refused(proposal, strict=strict)
        if problem := proposal.schedule_problem:
            raise SendRefusedError.from_problems([problem])
        if not no_image_check:
            urls = list_image_urls(proposal)
            issue_name = proposal.prepared_email.email.issue
            check_published_images(proposal.ledger, project.config, issue_name, urls)
        if not as_json:
            print_proposal(proposal, [*rows, *plan_rows])
        # Without a terminal, whoever merged the plan has confirmed it.
        if not yes and not (approved and not sys.stdin.isatty()):
            confirm_count(proposal.audience.count, "schedule" if scheduled_time else "send")
        return confirm_and_deliver(
            proposal,
            scheduled_time,
            limit_per_hour,
            concurrency,
            wait=wait,
            strict=strict,
            as_json=as_json,
            more=more,
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
    if options["plan_file"] and (
        named := [
            name
            for name, key in _PLAN_OPTIONS.items()
            if context.get_parameter_source(key) is ParameterSource.COMMANDLINE
        ]
    ):
        raise click.UsageError(f"--plan says what is sent; it can't be used with {named[0]}")
    if options["accept_count"] and not options["plan_file"]:
        raise click.UsageError("--accept-count is for --plan; without it, you type the count")
    if options["with_tokens"] and not options["dry_run"]:
        raise click.UsageError("--with-tokens is for --dry-run; a send always has them")


def confirm_and_deliver(  # noqa: PLR0913 - the command's options
    proposal: "SendProposal",
    scheduled_time: "ScheduledTime | None",
    limit_per_hour: int | None,
    concurrency: int,
    *,
    wait: bool = False,
    strict: bool,
    as_json: bool,
    more: Mapping[str, object],
) -> int:
    """Freeze a proposal and send it, or leave it to its time or to workers; return the exit code.

    Args:
        proposal: as it was shown to the editor.
        scheduled_time: when it goes; ``None`` for at once.
        limit_per_hour: the most readers in any hour; ``None`` for no limit.
        concurrency: how many requests may be in flight at once.
        wait: whether to wait for the workers, if they send it.
        strict: whether a single rejected recipient is a failure.
        as_json: whether one JSON object is printed.
        more: further keys of that object.

    Raises:
        NewsletterError: the issue or the list has changed since, or nobody was accepted.
    """
    from newsletter.sending import service
    from newsletter.sending.ledger.record import get_ledger_time
    from newsletter.sending.planning.send_schedule import request_schedule
    from newsletter.sending.providers.registry import get_provider

    back_up_before_send(proposal.project, proposal.ledger.engine)
    with get_provider(proposal.project.config).connect(os.environ) as client:
        schedule = request_schedule(
            client, scheduled_time, limit_per_hour, get_ledger_time(proposal.ledger)
        )
        with notice_if_slow(FREEZING_NOTICE):
            context = service.confirm_plan(proposal, schedule)
        if context.send.is_scheduled_locally:
            return print_scheduled(context, as_json=as_json, more=more)
        return deliver_or_hand_over(
            context,
            lambda observe: service.deliver(context, client, observe, concurrency),
            wait=wait,
            strict=strict,
            as_json=as_json,
            more=more,
        )
