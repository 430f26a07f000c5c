"""``newsletter plan``: freeze a send, or write a file that approves one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from newsletter.cli.options import (
    batch_size_option,
    json_option,
    repeat_article_option,
    segment_option,
)
from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.progress import notice_if_slow
from newsletter.cli.project_database import open_project_database
from newsletter.cli.send.shared import FREEZING_NOTICE, PREPARING_NOTICE, back_up_before_send
from newsletter.errors import SendRefusedError, UsageError, display_path
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.approval.approval_plan import ApprovalPlan
    from newsletter.sending.ledger.record import Send
    from newsletter.sending.planning.proposal import SendProposal


@click.command("plan", short_help="Freeze an issue's content and recipients, and send nothing yet.")
@click.argument("issue", required=False)
@segment_option
@batch_size_option
@repeat_article_option
@click.option("--again", is_flag=True, help="Replace the plan, while nothing of it was sent.")
@click.option(
    "--out",
    "out_file",
    metavar="FILE",
    help="Freeze nothing: write a plan for a pull request, for send --plan; - prints it.",
)
@json_option
def plan_command(  # noqa: PLR0913 - one parameter per option
    issue: str | None,
    *,
    segment: str | None,
    batch_size: int | None,
    repeat_article: bool,
    again: bool,
    out_file: str | None,
    as_json: bool,
) -> None:
    """Freeze the email, its readers and its requests. Nothing is sent.

    ISSUE is a folder's name or a part of it; the newest if left out. From then on nobody is
    added; whoever unsubscribes before their request is sent is still left out. If the issue's
    files change, newsletter send shows the difference and refuses, until you plan it again.

    With --out nothing is frozen. A small JSON file is written that can be approved in a pull
    request: checksums of the email, its files, templates and settings, the segment, and how
    many readers there are. No reader's address is in it. newsletter send --plan FILE chooses
    the readers and sends, and refuses if anything else has changed since. If the file has the
    same plan already, it is left as it is.

    \b
    Examples:
      newsletter plan building-trust
      newsletter plan building-trust --segment tag:vip --again
      newsletter plan building-trust --out plan.json
    """
    from newsletter.cli.send.proposal import raise_if_refused
    from newsletter.project import open_project
    from newsletter.sending.planning.proposal import SendOptions
    from newsletter.sending.service import confirm_plan, plan

    if out_file is not None:
        _check_options_of_file(out_file)
    project = open_project()
    options = SendOptions(
        segment or "",
        batch_size,
        replace_plan=again,
        needs_api_key=False,
        repeat_article=repeat_article,
        allows_copy=out_file is not None,
    )
    with open_project_database(project) as engine:
        with notice_if_slow(PREPARING_NOTICE):
            proposal = plan(project, issue, engine, options)
        raise_if_refused(proposal)
        if out_file is not None:
            _write_plan_file(proposal, out_file, as_json=as_json)
            return
        if again and proposal.resumed:
            raise SendRefusedError(
                f"{proposal.folder.name} can't be planned again: part of it has been sent",
                remedy="Resume what was planned with: "
                f"newsletter resume {proposal.folder.name[11:]}",
            )
        back_up_before_send(project, engine)
        with notice_if_slow(FREEZING_NOTICE):
            frozen = confirm_plan(proposal).send
        _print_plan(proposal, frozen, as_json=as_json)


def _check_options_of_file(out_file: str) -> None:
    """Reject what is no file for --out, and options of a frozen plan beside it."""
    if not out_file or Path(out_file).is_dir():
        raise UsageError(
            f"--out '{out_file}' is not the name of a file",
            remedy="Name one, such as: --out plan.json",
        )
    context = click.get_current_context()
    unused = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in {"again", "batch_size"}
        and context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
    ]
    if unused:
        raise UsageError(
            f"{' and '.join(unused)} can't be used with --out, which freezes nothing",
            remedy="Leave it out.",
        )


def _write_plan_file(proposal: "SendProposal", out_file: str, *, as_json: bool) -> None:
    from newsletter.cli.send.proposal import print_proposal
    from newsletter.sending.approval.bind import get_local_date, make_approval_plan
    from newsletter.sending.approval.plan_file import refuse_addresses, write_approval_plan

    if resumed := proposal.resumed:
        raise SendRefusedError(
            f"{resumed.issue} is planned in the database already, for "
            f"{format_count(resumed.total, 'reader')}: another plan would change nothing",
            remedy=f"Send it with newsletter send {resumed.slug}, or first cancel it with: "
            f"newsletter cancel {resumed.slug}",
        )
    approval = make_approval_plan(proposal, get_local_date(proposal.project.config))
    if out_file == "-":
        refuse_addresses(approval)
        print_json(approval.as_data(), indent=2)
        return
    path = Path(out_file)
    is_new = write_approval_plan(path, approval)
    shown = display_path(path)
    if as_json:
        print_json({**approval.as_data(), "file": shown, "written": is_new})
        return
    print_proposal(proposal, _format_approval_rows(approval))
    if is_new:
        echo(f"Wrote {shown}. Nothing was frozen or sent.", color="green")
    else:
        echo(f"{shown} has this plan already.")
    echo_err(f"Next: commit it; once it is approved: newsletter send --plan {shown}")


def _format_approval_rows(approval: "ApprovalPlan") -> list[tuple[str, str]]:
    """Return the rows that say what a plan for a pull request binds."""
    checks = approval.checks
    findings = [
        format_count(count, noun)
        for count, noun in ((checks.warnings, "warning"), (checks.hints, "hint"))
        if count
    ]
    bound = [
        format_count(len(part), noun)
        for part, noun in (
            (approval.files, "file"),
            (approval.templates, "template"),
            (approval.settings, "setting"),
        )
    ]
    return [
        ("checks", ", ".join(findings) or "nothing found"),
        ("content", f"{approval.email.content[:12]}, of {', '.join(bound)}"),
    ]


def _print_plan(proposal: "SendProposal", send: "Send", *, as_json: bool) -> None:
    from zoneinfo import ZoneInfo

    from newsletter.cli.send.proposal import print_proposal
    from newsletter.render.personalization import get_default_subject
    from newsletter.sending.ledger.status import get_send_status
    from newsletter.sending.planning.schedule import format_schedule_time

    if as_json:
        email = proposal.prepared_email.email
        plan_fields = {
            "subject": get_default_subject(email, proposal.prepared_email.config),
            "segment": send.segment,
            "content_sha": send.content_sha,
            "plan_sha": send.plan_sha,
            "limit_per_hour": send.limit_per_hour,
        }
        data = {**get_send_status(proposal.ledger, send).as_data(), **plan_fields}
        print_json(data)
        return
    rows = [("content", send.content_sha[:12])]
    if send.scheduled_at:
        zone = ZoneInfo(proposal.project.config.timezone)
        rows.append(("when", format_schedule_time(send.scheduled_at, zone)))
    print_proposal(proposal, rows)
    if proposal.resumed:
        reader_count = format_count(send.total, "reader")
        echo(f"It was planned before, for {reader_count}, and has not changed since.")
    else:
        echo("Planned. Nothing was sent.", color="green")
    if send.is_scheduled_locally:
        echo_err(f"It waits here until then. Cancel with: newsletter cancel {send.slug}")
    else:
        echo_err(f"Next: newsletter send {send.slug}")
