"""``newsletter check``: run all rules on issues and print the findings."""

import datetime
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from newsletter import __version__
from newsletter.cli.output import echo, echo_err, print_json, wrap_problem
from newsletter.cli.progress import progress_bar
from newsletter.errors import display_path

if TYPE_CHECKING:
    from newsletter.checks.check_context import CheckContext
    from newsletter.checks.finding import Finding
    from newsletter.checks.rules.spamassassin import SpamScore
    from newsletter.project import Project
    from newsletter.render.issue_folder import RenderedIssue

# Kind of a result -> why its link was not requested.
_UNCHECKED_REASONS = {
    "not asked": "robots.txt disallows it",
    "robots failing": "their site's robots.txt has a server error; try again later",
}
_WIDTH = 80


class CheckedIssue(NamedTuple):
    """The result of checking one issue.

    Attributes:
        issue: the issue's name.
        source: path of its post.
        findings: what the rules found, without allowed exceptions.
        spam_score: SpamAssassin's score; ``None`` if it isn't installed.
    """

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
@click.option("--verbose", "-v", is_flag=True, help="List every finding, not each rule once.")
@click.option("--online", is_flag=True, help="Check its links and images on the web too.")
def check_command(  # noqa: PLR0913 - one parameter for each option
    issue: str | None, *, form: str, strict: bool, every: bool, verbose: bool, online: bool
) -> int:
    """Check an issue as its readers would get it; nothing is sent.

    Offline, unless you ask for --online: then each link is visited, which takes a minute at
    most. Links that worked are not visited again for an hour.

    ISSUE is a folder's name or a part of it; the newest if left out. A rule that finds
    several places is listed once, with its first lines in the source. Exits with 1 if there
    are errors; a send is refused then too. If a rule doesn't suit an issue, allow its
    findings in the front matter, with a reason:

    \b
      allow:
        no-preheader: the first sentence says it best

    \b
    Examples:
      newsletter check
      newsletter check building-trust --strict
      newsletter check building-trust --verbose
      newsletter check --online
      newsletter check --all --format sarif > checks.sarif
    """
    from newsletter.checks.output import count_by_severity
    from newsletter.project import find_issue, open_project
    from newsletter.project.folder import list_issue_folders

    project = open_project()
    if every and issue:
        raise click.UsageError("--all checks every issue: leave out ISSUE.")
    folders = (list_issue_folders(project) if every else []) or [find_issue(project, issue)]
    started = time.perf_counter()
    checked = [check_issue(project, folder, online=online) for folder in folders]
    seconds = time.perf_counter() - started
    findings = [finding for checked_issue in checked for finding in checked_issue.findings]
    _print_results(checked, findings, form, seconds, verbose=verbose)
    _warn_about_welcome(project)
    counts = count_by_severity(findings)
    return int(bool(counts["error"] or (strict and counts["warning"])))


def _warn_about_welcome(project: "Project") -> None:
    """Say what is wrong with the welcome email, which belongs to no issue."""
    from newsletter.cli.wrap_message import get_stream_width
    from newsletter.errors import PostError
    from newsletter.render.project_emails import ProjectEmails

    try:
        ProjectEmails(project).read_own_welcome()
    except PostError as error:
        for problem in error.problems:
            width = get_stream_width(sys.stderr)
            echo_err(wrap_problem(problem, width, first_indent="The welcome email can't be sent: "))


def check_issue(project: "Project", folder: Path, *, online: bool) -> CheckedIssue:
    """Render an issue and run all rules on it.

    Raises:
        NewsletterError: it can't be read or rendered.
    """
    from newsletter.checks.allowlist import read_exceptions
    from newsletter.checks.rules.spamassassin import make_spam_findings, run_spamassassin
    from newsletter.checks.runner import drop_excepted, run_rules
    from newsletter.render.issue_folder import render_issue_folder

    rendered = render_issue_folder(project, folder)
    context = _load_context(project, rendered)
    score = run_spamassassin(_build_copies(context))
    findings = [*run_rules(context), *(make_spam_findings(score, context) if score else ())]
    if online:
        findings += _check_links_online(project, context)
    return CheckedIssue(
        rendered.issue.name,
        display_path(rendered.issue.source_path),
        drop_excepted(findings, read_exceptions(context)),
        score,
    )


def _load_context(project: "Project", rendered: "RenderedIssue") -> "CheckContext":
    """Combine the email with what the database has: merge values, email clients, sent issues."""
    from dataclasses import replace

    from newsletter.checks.earlier_emails import load_earlier_emails
    from newsletter.checks.load_context import (
        get_used_attributes,
        load_check_context,
        load_longest_values,
        open_existing_list,
    )
    from newsletter.db import read_transaction
    from newsletter.events.user_agents import load_client_shares

    with open_existing_list(project) as engine:
        if engine is None:
            return load_check_context(project, rendered)
        longest = load_longest_values(engine, get_used_attributes(rendered.email))
        with read_transaction(engine) as connection:
            earlier_emails = load_earlier_emails(connection, rendered.issue.name)
        shares = load_client_shares(engine)
        context = load_check_context(project, rendered, longest, shares)
        return replace(context, earlier_emails=earlier_emails)


def _check_links_online(project: "Project", context: "CheckContext") -> "tuple[Finding, ...]":
    """Request the email's links, except those that worked within the last hour."""
    from newsletter.checks.online.checker import ResultCache, check_urls
    from newsletter.checks.online.rules import collect_urls, make_online_findings
    from newsletter.fetch.safe_fetch import SafeFetcher

    urls = collect_urls(context)
    cache = ResultCache(project.build_dir / "links.json")
    cached_results = cache.get_fresh(urls)
    unchecked = [url for url in urls if url not in cached_results]
    fetcher = SafeFetcher(f"newsletter/{__version__} (link check for {context.config.site_url})")
    with progress_bar(len(unchecked), "Following links") as step:
        new_results = check_urls(unchecked, fetcher, on_progress=step)
    cache.store(new_results)
    results = {url: {**cached_results, **new_results}[url] for url in urls}
    for kind, reason in _UNCHECKED_REASONS.items():
        if count := sum(result.kind == kind for result in results.values()):
            echo_err(f"{count} of {len(urls)} links were not checked: {reason}.")
    if results and all(result.kind in {"dead", "failing"} for result in results.values()):
        echo_err("No link could be reached: is this machine online?")
    return make_online_findings(context, results)


def _build_copies(context: "CheckContext") -> dict[str, bytes]:
    """Build the message for a sample reader, and for one of whom only the address is known."""
    from newsletter.render.article.links import get_host
    from newsletter.render.email import NamedAddress
    from newsletter.render.eml import to_eml
    from newsletter.render.headers import build_unsubscribe_headers
    from newsletter.render.personalization import personalize_for_recipient
    from newsletter.sending.sample import SAMPLE_TOKEN, make_sample_recipient

    config = context.config
    sample = make_sample_recipient("reader@example.com", config)
    emails = {
        f"a reader named {sample.attributes['name']}": sample.attributes,
        "a reader of whom nothing is known": {"email": sample.address},
    }
    date = datetime.datetime.now(datetime.UTC)
    copies: dict[str, bytes] = {}
    for recipient, attributes in emails.items():
        eml = to_eml(
            personalize_for_recipient(context.email, config, attributes, sample.token),
            NamedAddress("", sample.address),
            date=date,
            message_id=f"<{context.issue.name}@{get_host(config.site_url)}>",
            headers=build_unsubscribe_headers(config, SAMPLE_TOKEN),
        )
        if eml not in copies.values():
            copies[recipient] = eml
    return copies


def _print_results(
    checked: Sequence[CheckedIssue],
    findings: "Sequence[Finding]",
    form: str,
    seconds: float,
    *,
    verbose: bool,
) -> None:
    from newsletter.checks.output import to_github_commands, to_sarif
    from newsletter.cli.issue.findings_text import print_findings, print_summary

    if form == "json":
        print_json(_to_dict(checked))
    elif form == "sarif":
        print_json(to_sarif(findings), indent=1)
    elif form == "github":
        for line in to_github_commands(findings):
            echo(line)
    else:
        if not verbose:
            checked = drop_repeated(checked)
            findings = [finding for result in checked for finding in result.findings]
        for result in checked:
            print_findings(result.findings, result.source, every=verbose)
            if result.spam_score and len(checked) == 1:
                echo(textwrap.fill(f"SpamAssassin gives it {result.spam_score}", _WIDTH))
        print_summary(findings, seconds, every=verbose)
        if len(checked) == 1 and not any(finding.severity == "error" for finding in findings):
            echo_err(f"Next: newsletter test {checked[0].issue[11:]} --to YOUR-ADDRESS")


def drop_repeated(checked: Sequence[CheckedIssue]) -> Sequence[CheckedIssue]:
    """Keep a finding of the settings or of a template only at the first issue that has it."""
    seen: set[Finding] = set()
    kept: list[CheckedIssue] = []
    for result in checked:
        findings = tuple(finding for finding in result.findings if finding not in seen)
        seen.update(
            finding for finding in findings if finding.where and finding.where.path != result.source
        )
        kept.append(result._replace(findings=findings))
    return kept


def _to_dict(checked: Sequence[CheckedIssue]) -> dict[str, Any]:
    from newsletter.checks.output import count_by_severity, finding_to_dict

    return {
        "issues": [
            {
                "issue": result.issue,
                **count_by_severity(result.findings),
                "findings": [finding_to_dict(finding) for finding in result.findings],
                "spamassassin": result.spam_score
                and {
                    "score": result.spam_score.score,
                    "limit": result.spam_score.limit,
                    "tests": result.spam_score.tests,
                    "recipient": result.spam_score.recipient,
                },
            }
            for result in checked
        ]
    }
