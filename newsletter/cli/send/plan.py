"""``newsletter plan``: freeze content, recipients and batches of a send."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.options import (
    batch_size_option,
    json_option,
    repeat_article_option,
    segment_option,
)
from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.project_database import open_project_database
from newsletter.cli.send.shared import back_up_before_send
from newsletter.errors import SendRefusedError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.sending.ledger.record import Send
    from newsletter.sending.planning.proposal import SendProposal


@click.command("plan", short_help="Freeze an issue's content and recipients, and send nothing yet.")
@click.argument("issue", required=False)
@segment_option
@batch_size_option
@repeat_article_option
@click.option("--again", is_flag=True, help="Replace the plan, while nothing of it was sent.")
@json_option
def plan_command(  # noqa: PLR0913 - one parameter per option
    issue: str | None,
    *,
    segment: str | None,
    batch_size: int | None,
    repeat_article: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Freeze the email, its readers and its requests. Nothing is sent.

    ISSUE is a folder's name or a part of it; the newest if left out. From then on nobody is
    added; whoever unsubscribes before their request is sent is still left out. If the issue's
    files change, newsletter send shows the difference and refuses, until you plan it again.

    \b
    Examples:
      newsletter plan building-trust
      newsletter plan building-trust --segment tag:vip --again
    """
    from newsletter.cli.send.proposal import raise_if_refused
    from newsletter.project import open_project
    from newsletter.sending.planning.proposal import SendOptions
    from newsletter.sending.service import confirm_plan, plan

    project = open_project()
    options = SendOptions(
        segment or "",
        batch_size,
        replace_plan=again,
        needs_api_key=False,
        repeat_article=repeat_article,
    )
    with open_project_database(project) as engine:
        proposal = plan(project, issue, engine, options)
        raise_if_refused(proposal)
        if again and proposal.resumed:
            raise SendRefusedError(
                f"{proposal.folder.name} can't be planned again: part of it has been sent",
                remedy="Resume what was planned with: "
                f"newsletter resume {proposal.folder.name[11:]}",
            )
        back_up_before_send(project, engine)
        _print_plan(proposal, confirm_plan(proposal).send, as_json=as_json)


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
