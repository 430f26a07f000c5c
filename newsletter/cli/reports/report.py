"""``newsletter report``: print the results of a send, or write a page."""

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.options import json_option
from newsletter.cli.output import echo, echo_err, print_json
from newsletter.cli.progress import notice_if_slow
from newsletter.cli.project_database import open_project_database
from newsletter.errors import ProjectError, display_path

if TYPE_CHECKING:
    from newsletter.project import Project
    from newsletter.reports.comparison import StartedSend
    from newsletter.reports.model import SendReport
    from newsletter.sending.ledger.record import Ledger, Send


@click.command("report", short_help="Show the results of a send.")
@click.argument("issue", required=False)
@json_option
@click.option(
    "--html",
    "page",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a self-contained HTML page.",
)
def report_command(issue: str | None, page: Path | None, *, as_json: bool) -> None:
    """Show the results of a send: delivered, bounced, opened, unsubscribed, complained.

    ISSUE is an issue's name or a part of it; without it, the latest send is shown. There is
    none of what is scheduled, or was cancelled before its time.
    SendGrid's events are received by newsletter serve, or imported by newsletter events
    import. Opens and clicks are shown only if tracking is on, and without those of bots.

    \b
    Examples:
      newsletter report
      newsletter report building-trust --html report.html
    """
    from zoneinfo import ZoneInfo

    from newsletter.cli.reports import report_text
    from newsletter.db import read_transaction
    from newsletter.project import open_project
    from newsletter.public_files import write_public_file
    from newsletter.reports.comparison import list_started_sends
    from newsletter.reports.output.html import render_report_page
    from newsletter.reports.output.json_data import report_to_dict
    from newsletter.reports.report import build_send_report
    from newsletter.sending.ledger.find_sends import open_ledger

    project, now = open_project(), datetime.datetime.now(datetime.UTC)
    with open_project_database(project) as engine:
        with read_transaction(engine) as connection:
            started_sends = list_started_sends(connection, now)
        send = _select_send(issue, started_sends, project, open_ledger(engine, project.config))
        with (
            notice_if_slow("Counting what became of it ..."),
            read_transaction(engine) as connection,
        ):
            report = build_send_report(connection, send, project.config, now)
    if as_json:
        print_json(report_to_dict(report))
    else:
        zone = ZoneInfo(project.config.timezone)
        for line in report_text.format_outcome(report, zone):
            echo(line)
        echo(report_text.format_complaints(report), color=report.complaint_state)
        for line in report_text.format_tables(report, zone):
            echo(line)
        _print_next_steps(report)
    if page:
        write_public_file(page, render_report_page(report, project.config).encode())
        if not as_json:
            echo(display_path(page), color="green")


def _select_send(
    name: str | None, sends: "list[StartedSend]", project: "Project", ledger: "Ledger"
) -> "StartedSend":
    """Return the send that ``name`` matches, or the latest one.

    Raises:
        ProjectError: there is no such send, or nothing of it has been sent.
    """
    from newsletter.project import find_issue
    from newsletter.sending.ledger.find_sends import find_send

    if name is None:
        if not sends:
            raise ProjectError(
                "nothing has been sent yet", remedy="Send an issue with: newsletter send"
            )
        return next(send for send in reversed(sends) if send.parent_id is None)
    try:
        send = find_send(ledger, name)
    except ProjectError as error:
        if any(name.casefold() in candidate.issue.casefold() for candidate in sends):
            raise
        try:
            folder = find_issue(project, name)
        except ProjectError:
            raise error from None
        raise ProjectError(
            f"{folder.name} has not been sent",
            remedy=f"Send it with: newsletter send {folder.name[11:]}",
        ) from None
    started_send = next((candidate for candidate in sends if candidate.id == send.id), None)
    if started_send is None:
        raise _not_sent_error(send, project, ledger)
    return started_send


def _not_sent_error(send: "Send", project: "Project", ledger: "Ledger") -> ProjectError:
    """Return why there is no report on a send."""
    from zoneinfo import ZoneInfo

    from newsletter.sending.ledger.record import get_ledger_time, may_have_been_sent
    from newsletter.sending.planning.send_schedule import describe_schedule

    now = get_ledger_time(ledger)
    words = describe_schedule(send, now, ZoneInfo(project.config.timezone))
    is_known = words and (not send.provider_batch_id or may_have_been_sent(ledger, send))
    message = f"{send.issue} {words}" if is_known else f"nothing of {send.issue} has been sent yet"
    return ProjectError(message, remedy=f"See: newsletter status {send.slug}")


def _print_next_steps(report: "SendReport") -> None:
    for name, sent in report.catch_ups.items():
        echo(f"{sent:,} more who joined later got it. Their report: newsletter report {name[11:]}")
    if report.has_no_feedback:
        echo_err(
            "SendGrid has not reported any events for it yet. newsletter serve receives them;\n"
            "import them from a file with: newsletter events import FILE"
        )
    if report.not_accepted.get("unknown"):
        echo_err(
            f"{report.not_accepted['unknown']:,} more readers may or may not have it. "
            f"See: newsletter status {report.slug}"
        )
