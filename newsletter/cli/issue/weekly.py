"""``newsletter weekly``: an issue of the blog's new posts."""

import datetime
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from newsletter.cli.issue.check import CheckedIssue, check_issue
from newsletter.cli.issue.importing.import_many import ImportedRow, import_chosen
from newsletter.cli.issue.importing.import_request import (
    ImportRequest,
    get_source_settings,
    make_import_options,
)
from newsletter.cli.issue.importing.import_url import make_flood_error
from newsletter.cli.issue.importing.web_content import make_downloader
from newsletter.cli.issue.schedule_issue import ScheduleRequest, schedule_issue
from newsletter.cli.options import (
    hold_option,
    json_option,
    local_option,
    no_image_check_option,
    segment_option,
)
from newsletter.cli.output import (
    echo,
    echo_err,
    format_fields,
    isolate_bidi,
    make_output_private,
    print_json,
)
from newsletter.errors import (
    NewsletterError,
    NothingToDoError,
    Problem,
    SendRefusedError,
    UsageError,
)
from newsletter.wording import format_count

if TYPE_CHECKING:
    from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
    from newsletter.posts.importing.sources.feeds.check_feed import FeedCheck
    from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts
    from newsletter.project import Project

_MAX_TITLES = 5


@dataclass(slots=True)
class WeeklyRun:
    """What a run has done so far.

    Attributes:
        project: the editor's folder.
        as_json: whether one JSON object is printed at the end.
        checks: what the feeds have new.
        rows: the posts that were imported.
        checked: the issues that were checked.
        problems: what has failed.
        is_digest: whether one issue was made of all posts.
    """

    project: "Project"
    as_json: bool
    checks: "list[FeedCheck]" = field(default_factory=list)
    rows: list[ImportedRow] = field(default_factory=list)
    checked: list[CheckedIssue] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    is_digest: bool = False

    @property
    def has_errors(self) -> bool:
        """Whether something has failed, or a check has found an error."""
        found = (finding for result in self.checked for finding in result.findings)
        return bool(self.problems) or any(finding.severity == "error" for finding in found)

    def as_data(self) -> dict[str, Any]:
        """Return the summary for JSON."""
        from newsletter.checks.output import count_by_severity

        findings = {result.issue: count_by_severity(result.findings) for result in self.checked}
        return {
            "feeds": [
                {
                    "url": check.after.url,
                    "new": len(check.posts.new),
                    "unreadable": len(check.posts.unreadable),
                    "is_first_check": check.posts.is_first,
                    "remarks": check.remarks,
                }
                for check in self.checks
            ],
            "issues": [
                {**row.data, "findings": findings.get(str(row.data.get("issue")))}
                for row in self.rows
            ],
            "problems": [str(problem) for problem in self.problems],
        }


@click.command("weekly", short_help="Make this week's issue of what the blog has new.")
@click.option("--digest", "as_digest", is_flag=True, help="Make one issue of all new posts.")
@click.option("--draft", is_flag=True, help="Leave a draft for you to finish; this is the default.")
@click.option(
    "--send-at",
    metavar="TIME",
    help="Schedule it if the checks find no error: 'Tue 09:00' in the newsletter's zone.",
)
@segment_option
@hold_option
@local_option
@no_image_check_option
@click.option("--full", is_flag=True, help="Fetch the whole post where a feed has its beginning.")
@click.option(
    "--accept-flood", is_flag=True, help="Take all new posts, even if they are far too many."
)
@json_option
def weekly_command(  # noqa: PLR0913 - one parameter per option
    *,
    as_digest: bool,
    draft: bool,
    send_at: str | None,
    segment: str | None,
    hold_at_sendgrid: bool,
    local: bool,
    no_image_check: bool,
    full: bool,
    accept_flood: bool,
    as_json: bool,
) -> int:
    """Import what the feeds of newsletter.yml have new, check it, and leave or schedule it.

    Made for cron and CI: nothing is asked. What was seen is kept in seen-posts.json, which
    belongs into git. Run twice, it makes nothing the second time (exit code 3). What failed
    is tried again by the next run. With --digest one issue has a card for each post.

    With --send-at the issue is scheduled as newsletter send --at does; --hold-at-sendgrid is
    for where nothing else runs. Without --digest, nothing is scheduled if several posts are
    new.

    \b
    Examples:
      newsletter weekly
      newsletter weekly --digest
      newsletter weekly --send-at 'Tue 09:00' --hold-at-sendgrid
    """
    from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts
    from newsletter.project import open_project

    if draft and send_at:
        raise UsageError("--draft and --send-at exclude each other", remedy="Leave one out.")
    make_output_private()  # SendGrid may name readers in its reasons
    project = open_project()
    run = WeeklyRun(project, as_json)
    seen = SeenPosts.load(project.root)
    run.checks = check_feeds(project, seen, accept_flood=accept_flood)
    if as_digest:
        _make_digest(run, is_draft=not send_at)
    else:
        if send_at:
            _refuse_several(run)
        _import_new(run, is_draft=not send_at, full=full)
    _check_issues(run)
    if not as_json:
        _print_run(run)
    if not (send_at and run.checked) or run.has_errors:
        if as_json:
            print_json(run.as_data())
        if not send_at or not run.has_errors:
            _record(run, seen)
        return 1 if run.has_errors else 0 if run.rows else NothingToDoError.exit_code
    request = ScheduleRequest(send_at, segment, hold_at_sendgrid, local, no_image_check)
    more = {"weekly": run.as_data()}
    try:
        exit_code = schedule_issue(
            project, run.checked[0].issue, request, as_json=as_json, more=more
        )
    except NothingToDoError:  # an interrupted run has scheduled it
        _record(run, seen)
        raise
    if exit_code == 0:
        _record(run, seen)
    return exit_code


def check_feeds(project: "Project", seen: "SeenPosts", *, accept_flood: bool) -> "list[FeedCheck]":
    """Check the feeds of newsletter.yml; if one can't be read, nothing is imported of any.

    Raises:
        UsageError: newsletter.yml has no feed.
        NewsletterError: a feed can't be read, or has far more new posts than ever before.
    """
    from newsletter.posts.importing.sources.feeds.check_feed import check_feed

    if not project.config.blog.feeds:
        raise UsageError(
            "newsletter.yml names no feed",
            remedy="Add your blog's: blog: {feeds: https://example.com/feed.xml}",
        )
    downloader, settings = make_downloader(project), get_source_settings(project)
    checks: list[FeedCheck] = []
    problems: list[Problem] = []
    for url in project.config.blog.feeds:
        try:
            check = check_feed(url, seen, downloader, settings)
        except NewsletterError as error:
            problems += error.problems
            continue
        if check.posts.flood and not accept_flood:
            problems += make_flood_error(url, check.posts.flood).problems
        checks.append(check)
    if problems:
        raise NewsletterError.from_problems(problems)
    return checks


def _refuse_several(run: WeeklyRun) -> None:
    titles = [post.title or post.url for check in run.checks for post in check.posts.new]
    if len(titles) > 1:
        shown = ", ".join(titles[:_MAX_TITLES]) + (", \u2026" if len(titles) > _MAX_TITLES else "")
        raise SendRefusedError(
            f"{format_count(len(titles), 'post')} are new ({shown}), and --send-at schedules one "
            "issue; nothing was imported",
            remedy="Send them as one issue with --digest, or leave --send-at out to get a draft of "
            "each.",
        )


def _make_digest(run: WeeklyRun, *, is_draft: bool) -> None:
    """Make one issue of the new posts of all feeds."""
    from newsletter.cli.issue.weekly_digest import make_weekly_digest

    posts = [post for check in run.checks for post in check.posts.new]
    unreadable = [post for check in run.checks for post in check.posts.unreadable]
    if row := make_weekly_digest(run.project, posts, is_draft=is_draft):
        run.rows.append(row)
        run.problems += row.problems
    run.problems += [post.problem for post in unreadable]
    run.is_digest = True


def _import_new(run: WeeklyRun, *, is_draft: bool, full: bool) -> None:
    """Import the new posts; as drafts, unless they are to be scheduled."""
    today = datetime.datetime.now(ZoneInfo(run.project.config.timezone)).date()
    for check in run.checks:
        posts: list[SourcePost | UnreadablePost] = [*check.posts.new, *check.posts.unreadable]
        request = ImportRequest(sources=(check.after.url,), today=today, full=full)
        options = replace(make_import_options(run.project, request), as_draft=is_draft)
        run.rows += import_chosen(run.project, posts, options, len(posts))
    run.problems += [problem for row in run.rows for problem in row.problems]


def _check_issues(run: WeeklyRun) -> None:
    """Check the issues of this week's posts, also of those that an interrupted run has imported."""
    for row in run.rows:
        if row.state == "failed":
            continue
        try:
            folder = run.project.issues_dir / str(row.data["issue"])
            run.checked.append(check_issue(run.project, folder, online=False))
        except NewsletterError as error:
            run.problems += error.problems


def _print_run(run: WeeklyRun) -> None:
    from newsletter.cli.issue.findings_text import print_findings

    for check in run.checks:
        for remark in check.remarks:
            echo_err(f"Note: {remark}.")
        if check.posts.is_first:
            known = format_count(len(check.posts.known), "post")
            echo(f"{check.after.url}: first check; seen from now on: {known}.")
        else:
            echo(f"{check.after.url}: {format_count(len(check.posts.new), 'new post')}.")
    for row in run.rows:
        if row.path:
            echo(row.path, color="green" if row.state == "new" else None)
        if row.rows:
            echo(format_fields(row.rows))
        for problem in row.problems:
            echo_err(f"Not imported: {isolate_bidi(row.title)}: {problem}")
    for result in run.checked:
        print_findings(result.findings, result.source)


def _record(run: WeeklyRun, seen: "SeenPosts") -> None:
    """Record this week's posts as seen, now that nothing is left to do with them."""
    from newsletter.posts.importing.sources.feeds.check_feed import record_seen

    rows = iter(run.rows)
    for check in run.checks:
        if run.is_digest:
            # Posts without a card are new again: those with one are not repeated.
            written = [] if run.problems else list(check.posts.new)
        else:
            outcomes = [(post, next(rows)) for post in check.posts.new]
            written = [post for post, row in outcomes if row.state != "failed"]
            for _ in check.posts.unreadable:
                next(rows)
        record_seen(seen, check, written)
