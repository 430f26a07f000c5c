"""``newsletter issues``: list the issues, their states and lengths."""

import datetime
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.options import json_lines_option
from newsletter.cli.output import echo, echo_err, print_json, wrap_problem
from newsletter.cli.progress import progress_bar
from newsletter.cli.wrap_message import get_stream_width
from newsletter.errors import NewsletterError, NothingToDoError, Problem, display_path

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from newsletter.checks.finding import Severity
    from newsletter.posts.issue import Issue
    from newsletter.project import Project
    from newsletter.sending.ledger.find_sends import IssueSend

# Of an issue that was never planned, and the labels of newsletter.sending.ledger.send_phase.
STATES = (
    "broken", "draft", "ready", "planned", "scheduled", "sending", "paused", "blocked",
    "needs review", "sent", "cancelled",
)  # fmt: skip
BROKEN, DRAFT, READY = STATES[:3]


@dataclass(frozen=True, slots=True)
class ListedIssue:
    """An issue of the list.

    Attributes:
        name: the name of its folder.
        issue: the issue; ``None`` if it can't be read.
        problems: why it can't be read or rendered.
        send: its send, if it was planned.
        accepted: how many readers the send was accepted for.
        findings: severity -> how many findings; ``None`` if it was not checked.
    """

    name: str
    issue: "Issue | None"
    problems: tuple[Problem, ...]
    send: "IssueSend | None"
    accepted: int
    findings: "Mapping[Severity, int] | None" = None

    @property
    def state(self) -> str:
        """One of ``STATES``."""
        from newsletter.sending.ledger.send_phase import SEND_PHASE_LABELS

        if self.send:
            return SEND_PHASE_LABELS[self.send.phase].in_list
        if self.issue is None:
            return BROKEN
        return DRAFT if self.issue.draft else READY

    @property
    def sent_at(self) -> datetime.datetime | None:
        """When the send was completed: held by the provider, at its time."""
        if self.send is None or self.send.phase != "done":
            return None
        record = self.send.send
        return max(filter(None, (record.finished_at, record.scheduled_at)), default=None)

    @property
    def word_count(self) -> int | None:
        """The number of words of its article."""
        from newsletter.posts.importing.cleanup.paragraph import count_words
        from newsletter.render.article.dom import get_visible_text, parse_fragment

        if self.issue is None:
            return None
        article = get_visible_text(parse_fragment(self.issue.post.body))
        return count_words(article) + count_words(self.issue.digest_text)


@click.command("issues", short_help="List the issues and their states.")
@click.option(
    "--state",
    "states",
    type=click.Choice([state.replace(" ", "-") for state in STATES]),
    multiple=True,
    metavar="STATE",
    help="Only issues in this state; can be repeated.",
)
@click.option("--check", "is_checked", is_flag=True, help="Check each issue and count findings.")
@json_lines_option
def issues_command(states: tuple[str, ...], *, is_checked: bool, as_json: bool) -> int:
    """List the issues, the newest first: date, name, state, number of words.

    A state is broken (the post can't be read), draft, ready, planned, scheduled, sending,
    paused, blocked, needs-review, sent or cancelled.

    With --check, each is checked as newsletter check does it, and its findings are counted.
    Exits with 1 if an issue can't be read; the others are listed all the same.

    \b
    Examples:
      newsletter issues
      newsletter issues --state draft --state ready --check
      newsletter issues --json
    """
    from zoneinfo import ZoneInfo

    from newsletter.project import list_issue_folders, open_project

    project = open_project()
    folders = list_issue_folders(project)
    if not folders:
        raise NothingToDoError(
            f"there are no issues in {display_path(project.issues_dir)}",
            remedy="Create one from a post with: newsletter import POST",
        )
    wanted = {state.replace("-", " ") for state in states} or {*STATES}
    listed = [found for found in _iter_issues(project, folders[::-1]) if found.state in wanted]
    if is_checked:
        listed = _check_issues(project, listed)
    if as_json:
        for found in listed:
            print_json(_to_dict(found))
    elif listed:
        _print_table(listed, ZoneInfo(project.config.timezone))
    else:
        echo_err(f"None of {len(folders)} issues is {' or '.join(states)}.")
    return int(any(found.problems for found in listed))


def _iter_issues(project: "Project", folders: list[Path]) -> "Iterator[ListedIssue]":
    from newsletter.checks.load_context import open_existing_list
    from newsletter.posts.read_issue import read_issue
    from newsletter.sending.ledger.find_sends import (
        count_accepted_by_send,
        find_sends_by_issue,
        open_ledger,
    )

    sends: dict[str, IssueSend] = {}
    accepted: dict[int, int] = {}
    with open_existing_list(project) as engine:
        if engine is not None:
            ledger = open_ledger(engine, project.config)
            sends, accepted = find_sends_by_issue(ledger), count_accepted_by_send(ledger)
    for folder in folders:
        send = sends.get(folder.name)
        count = accepted.get(send.send.id, 0) if send else 0
        try:
            issue = read_issue(folder, project.config)
        except NewsletterError as error:
            yield ListedIssue(folder.name, None, error.problems, send, count)
        else:
            yield ListedIssue(folder.name, issue, (), send, count)


def _check_issues(project: "Project", listed: list[ListedIssue]) -> list[ListedIssue]:
    from dataclasses import replace

    from newsletter.checks.output import count_by_severity
    from newsletter.cli.issue.check import check_issue

    checked = []
    with progress_bar(len(listed), "Checking issues") as advance:
        for found in listed:
            try:
                if found.issue is not None:
                    result = check_issue(project, project.issues_dir / found.name, online=False)
                    found = replace(found, findings=count_by_severity(result.findings))  # noqa: PLW2901
            except NewsletterError as error:
                found = replace(found, problems=error.problems)  # noqa: PLW2901
            checked.append(found)
            advance(1)
    return checked


def _print_table(listed: list[ListedIssue], zone: "ZoneInfo") -> None:
    """Print a row for each issue; below it, what is wrong with one that can't be read."""
    from newsletter.cli.table import align_rows

    header = ["Date", "Name", "State", "Words"]
    if any(found.findings for found in listed):
        header += ["Errors", "Warnings"]
    rows = [[*_make_cells(found, zone), "", ""][: len(header)] for found in listed]
    width = get_stream_width(sys.stdout)
    lines = align_rows([header, *rows], width=width, cut_column=1, numeric_columns=(3, 4, 5))
    echo(next(lines))
    for found, line in zip(listed, lines, strict=True):
        echo(line)
        for problem in found.problems:
            text = wrap_problem(problem, width, first_indent="    ", indent="      ")
            echo(text, color="red")


def _make_cells(found: ListedIssue, zone: "ZoneInfo") -> Iterator[str]:
    yield found.name[:10]
    yield found.name[11:]
    yield _describe_state(found, zone)
    yield "" if found.issue is None else f"{found.word_count:,}"
    if found.findings is not None:
        yield f"{found.findings['error']:,}"
        yield f"{found.findings['warning']:,}"


def _describe_state(found: ListedIssue, zone: "ZoneInfo") -> str:
    """Return the state, with the time and the readers that belong to it."""
    send = found.send.send if found.send else None
    if send is None:
        return found.state
    if found.sent_at:
        return f"sent {_format_day(found.sent_at, zone, found.name)} to {found.accepted:,}"
    if found.state == "scheduled" and send.scheduled_at:
        local = send.scheduled_at.astimezone(zone)
        return f"scheduled for {_format_day(local, zone, found.name)} {local:%H:%M}"
    if found.state == "sending":
        return f"sending, {found.accepted:,} of {send.total:,}"
    return found.state


def _format_day(moment: datetime.datetime, zone: "ZoneInfo", issue_name: str) -> str:
    """Format a day, without the year if that is the issue's: ``24 Nov``."""
    local = moment.astimezone(zone)
    day = f"{local.day} {local:%b}"
    return day if issue_name.startswith(f"{local.year}-") else f"{day} {local.year}"


def _to_dict(found: ListedIssue) -> dict[str, Any]:
    from newsletter.posts.merge_tags.tags import restore_merge_tags

    issue, send = found.issue, found.send.send if found.send else None
    scheduled_at = send.scheduled_at if send else None
    return {
        "issue": found.name,
        "date": found.name[:10],
        "title": issue and restore_merge_tags(issue.post.title, issue.merge_tags),
        "subject": issue and restore_merge_tags(issue.subject, issue.merge_tags),
        "draft": issue and issue.draft,
        "words": found.word_count,
        "state": found.state.replace(" ", "-"),
        "phase": found.send.phase if found.send else None,
        "scheduled_at": scheduled_at.isoformat(timespec="seconds") if scheduled_at else None,
        "sent_at": found.sent_at.isoformat(timespec="seconds") if found.sent_at else None,
        "total": send.total if send else None,
        "accepted": found.accepted if send else None,
        "findings": dict(found.findings) if found.findings is not None else None,
        "problems": [
            {
                "message": problem.message,
                "file": problem.where.path if problem.where else None,
                "line": problem.where.line if problem.where else None,
                "remedy": problem.remedy,
            }
            for problem in found.problems
        ],
    }
