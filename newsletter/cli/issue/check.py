"""``newsletter check``: what a reader, a filter or a mail client would stumble over."""

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from newsletter.cli.output import echo, echo_err

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from newsletter.checks.check_context import CheckContext
    from newsletter.checks.finding import Finding
    from newsletter.checks.rules.spamassassin import SpamScore
    from newsletter.posts.issue import Issue
    from newsletter.project import Project
    from newsletter.render.email import Email

COLORS = {"error": "red", "warning": "yellow", "hint": None}
_WIDTH = 80
_MIN_MESSAGE_WIDTH = 24  # columns that are left for words, however long a rule's name


class CheckedIssue(NamedTuple):
    """One issue, checked: its name, its post's file, what was found, and SpamAssassin's score."""

    issue: str
    source: str
    findings: "tuple[Finding, ...]"
    spam_score: "SpamScore | None"


@click.command("check", short_help="Look for what would go wrong before it is sent.")
@click.argument("issue", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "github"]),
    default="text",
    show_default=True,
    help="For people, for scripts, for code scanning, for GitHub's workflows.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings too.")
@click.option("--all", "every", is_flag=True, help="Check every issue.")
@click.option("--online", is_flag=True, help="Follow its links and look for its images too.")
def check_command(issue: str | None, *, form: str, strict: bool, every: bool, online: bool) -> int:
    """Check an issue as its readers would get it; nothing is sent.

    Offline, unless you ask for --online: then each link is visited, which takes a minute at
    most. What was well is not asked again for an hour.

    ISSUE is a folder's name or a part of it; the newest if left out. Each finding has its
    line in the source. Exits with 1 if there are errors, which a send is refused for too. A
    rule that doesn't suit an issue is allowed in its front matter, with a reason:

    \b
      allow:
        no-preheader: the first sentence says it best

    \b
    Examples:
      newsletter check
      newsletter check building-trust --strict
      newsletter check --online
      newsletter check --all --format sarif > checks.sarif
    """  # noqa: D301 - \b is click's own mark: don't rewrap
    from newsletter.checks.output import count_by_severity
    from newsletter.project import find_issue, open_project
    from newsletter.project.folder import list_issue_folders

    project = open_project()
    if every and issue:
        raise click.UsageError("--all checks every issue: name none with it.")
    folders = (list_issue_folders(project) if every else []) or [find_issue(project, issue)]
    started = time.perf_counter()
    checked = [_check_issue(project, folder, online=online) for folder in folders]
    seconds = time.perf_counter() - started
    findings = [finding for one in checked for finding in one.findings]
    _print_results(checked, findings, form, seconds)
    counts = count_by_severity(findings)
    return int(bool(counts["error"] or (strict and counts["warning"])))


def _check_issue(project: "Project", folder: "Path", *, online: bool) -> CheckedIssue:
    from newsletter.checks.allowlist import read_exceptions
    from newsletter.checks.rules.spamassassin import make_spam_findings, run_spamassassin
    from newsletter.checks.runner import drop_excepted
    from newsletter.checks.runner import run_rules as check_mail
    from newsletter.errors import display_path
    from newsletter.sending.planning.proposal import render_issue_folder

    issue, email = render_issue_folder(project, folder)
    mail = _load_mail_context(project, issue, email)
    score = run_spamassassin(_build_sample_eml(mail))
    found = [*check_mail(mail), *(make_spam_findings(score, mail) if score else ())]
    if online:
        found += _check_links_online(project, mail)
    return CheckedIssue(
        issue.name,
        display_path(issue.source_path),
        drop_excepted(found, read_exceptions(mail)),
        score,
    )


def _load_mail_context(project: "Project", issue: "Issue", email: "Email") -> "CheckContext":
    """The mail with what the list knows: its longest values, and its readers' mail programs."""
    from newsletter.checks.load_context import (
        get_used_attributes,
        load_check_context,
        load_longest_values,
        open_existing_list,
    )
    from newsletter.events.user_agents import load_client_shares

    with open_existing_list(project) as engine:
        if engine is None:
            return load_check_context(project, issue, email)
        longest = load_longest_values(engine, get_used_attributes(email))
        return load_check_context(project, issue, email, longest, load_client_shares(engine))


def _check_links_online(project: "Project", context: "CheckContext") -> "tuple[Finding, ...]":
    """Follow the mail's links, those that were well within the hour left out."""
    from newsletter import __version__
    from newsletter.checks.online.checker import ResultCache, check_urls
    from newsletter.checks.online.rules import collect_urls, make_online_findings
    from newsletter.cli.progress import progress_bar
    from newsletter.fetch.safe_fetch import SafeFetcher

    wanted = collect_urls(context)
    memory = ResultCache(project.build_dir / "links.json")
    known = memory.get_fresh(wanted)
    unknown = [url for url in wanted if url not in known]
    visitor = SafeFetcher(f"newsletter/{__version__} (link check for {context.config.site_url})")
    with progress_bar(len(unknown), "Following links") as step:
        answers = check_urls(unknown, visitor, on_progress=step)
    memory.store(answers)
    every = {url: {**known, **answers}[url] for url in wanted}
    shy = sum(answer.kind == "not asked" for answer in every.values())
    if shy:
        echo_err(
            f"{shy} of {len(wanted)} addresses want no programs (robots.txt) and weren't asked."
        )
    if every and all(answer.kind in {"dead", "failing"} for answer in every.values()):
        echo_err("Nothing answered at all: is this machine online?")
    return make_online_findings(context, every)


def _build_sample_eml(context: "CheckContext") -> bytes:
    """The message of a made-up reader."""
    import datetime

    from newsletter.render.article.links import get_host
    from newsletter.render.email import NamedAddress
    from newsletter.render.eml import to_eml
    from newsletter.render.headers import build_unsubscribe_headers
    from newsletter.render.personalization import personalize_for_recipient
    from newsletter.sending.sample import SAMPLE_TOKEN, make_sample_recipient

    config = context.config
    sample = make_sample_recipient("reader@example.com", config)
    return to_eml(
        personalize_for_recipient(context.email, config, sample.attributes, sample.token),
        NamedAddress("", "reader@example.com"),
        date=datetime.datetime.now(datetime.UTC),
        message_id=f"<{context.issue.name}@{get_host(config.site_url)}>",
        headers=build_unsubscribe_headers(config, SAMPLE_TOKEN),
    )


def _print_results(
    checked: "Sequence[CheckedIssue]", findings: "Sequence[Finding]", form: str, seconds: float
) -> None:
    import textwrap

    from newsletter.checks.output import to_github_commands, to_sarif

    if form == "json":
        echo(json.dumps(_to_dict(checked), ensure_ascii=False))
    elif form == "sarif":
        echo(json.dumps(to_sarif(findings), ensure_ascii=False, indent=1))
    elif form == "github":
        for line in to_github_commands(findings):
            echo(line)
    else:
        for one in checked:
            print_findings(one.findings, one.source)
            if one.spam_score and len(checked) == 1:
                echo(textwrap.fill(f"SpamAssassin gives it {one.spam_score}", _WIDTH))
        _print_summary(findings, seconds)
        if len(checked) == 1 and not any(one.severity == "error" for one in findings):
            echo_err(f"Next: newsletter test {checked[0].issue[11:]} --to YOUR-ADDRESS")


def _to_dict(checked: "Sequence[CheckedIssue]") -> dict[str, Any]:
    from newsletter.checks.output import count_by_severity, finding_to_dict

    return {
        "issues": [
            {
                "issue": one.issue,
                **count_by_severity(one.findings),
                "findings": [finding_to_dict(finding) for finding in one.findings],
                "spamassassin": one.spam_score
                and {
                    "score": one.spam_score.score,
                    "limit": one.spam_score.limit,
                    "tests": one.spam_score.tests,
                },
            }
            for one in checked
        ]
    }


def print_findings(findings: "Sequence[Finding]", source: str) -> None:
    """Print findings by file, the worst first; those of the issue's own file before others."""
    from newsletter.checks.finding import SEVERITIES

    files = dict.fromkeys([source, *(_finding_path(finding, source) for finding in findings)])
    wide = max((len(finding.rule) for finding in findings), default=0)
    for file in files:
        mine = [finding for finding in findings if _finding_path(finding, source) == file]
        if mine:
            echo(file)
        mine.sort(key=lambda one: (SEVERITIES.index(one.severity), _finding_line(one)))
        for finding in mine:
            _print_finding(finding, wide)


def _print_finding(finding: "Finding", rule_width: int) -> None:
    import textwrap

    head = (
        f"{_finding_line(finding) or '':>4}  {finding.severity:<7}  {finding.rule:<{rule_width}}  "
    )
    room = max(_WIDTH - len(head), _MIN_MESSAGE_WIDTH)
    lines = textwrap.wrap(finding.message, room, break_long_words=False, break_on_hyphens=False)
    if finding.severity != "hint":
        lines += textwrap.wrap(finding.remedy, room, break_long_words=False, break_on_hyphens=False)
    echo(head + lines[0], color=COLORS[finding.severity])
    for line in lines[1:]:
        echo(" " * len(head) + line)


def _print_summary(findings: "Sequence[Finding]", seconds: float) -> None:
    from newsletter.checks.output import count_by_severity

    counts = count_by_severity(findings)
    # What there is comes first.
    order = sorted(counts, key=lambda severity: not counts[severity])
    told = ", ".join(
        f"{counts[severity]} {severity}{'' if counts[severity] == 1 else 's'}" for severity in order
    )
    colour = "red" if counts["error"] else "yellow" if counts["warning"] else "green"
    echo(f"{told} in {seconds:.1f} s", color=colour)


def _finding_path(finding: "Finding", source: str) -> str:
    return finding.where.path if finding.where else source


def _finding_line(finding: "Finding") -> int:
    return (finding.where.line or 0) if finding.where else 0
