"""``newsletter weekly``: an issue of the blog's new posts."""

import datetime
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from newsletter.cli.issue.check import check_issue
from newsletter.cli.issue.importing.import_many import import_chosen
from newsletter.cli.issue.importing.import_request import (
    ImportRequest,
    get_source_settings,
    make_import_options,
)
from newsletter.cli.issue.importing.import_url import make_flood_error, make_page_error
from newsletter.cli.issue.importing.web_content import make_downloader
from newsletter.cli.issue.schedule_issue import ScheduleRequest, schedule_issue
from newsletter.cli.issue.weekly_run import WeeklyRun, print_run
from newsletter.cli.options import (
    hold_option,
    json_option,
    local_option,
    no_image_check_option,
    segment_option,
)
from newsletter.cli.output import (
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
    from newsletter.posts.importing.sources.feeds.check_feed import FeedCheck
    from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts
    from newsletter.project import Project

_MAX_TITLES = 5


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

    make_output_private()  # SendGrid may name readers in its reasons
    project = open_project()
    request = ScheduleRequest(send_at or "", segment, hold_at_sendgrid, local, no_image_check)
    _refuse_invalid_options(project, request, draft=draft)
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
        print_run(run)
    if not (send_at and run.checked) or run.has_errors:
        if as_json:
            print_json(run.as_data())
        if not send_at or not run.has_errors:
            _record(run, seen)
        return run.exit_code
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
    return exit_code or int(run.has_missed_posts)


def _refuse_invalid_options(project: "Project", request: ScheduleRequest, *, draft: bool) -> None:
    """Refuse options that no schedule can have, before anything is imported.

    Raises:
        UsageError: they are not valid.
    """
    from newsletter.sending.planning.schedule import choose_waiting_place, parse_schedule_options

    if request.segment:
        _refuse_invalid_segment(project, request.segment)
    if not request.at:
        if request.segment:
            raise UsageError(
                "--segment needs --send-at: a draft has no readers yet",
                remedy="Leave it out, and give it to newsletter send.",
            )
        return
    if draft:
        raise UsageError("--draft and --send-at exclude each other", remedy="Leave one out.")
    parse_schedule_options(
        request.at,
        None,
        datetime.datetime.now(datetime.UTC),
        ZoneInfo(project.config.timezone),
        place=choose_waiting_place(local=request.local, at_provider=request.hold_at_sendgrid),
        is_starter_seen=True,  # whether one was is asked when there is something to send
        rate_limited=False,
    )


def _refuse_invalid_segment(project: "Project", name_or_query: str) -> None:
    from newsletter.checks.load_context import open_existing_list
    from newsletter.db import read_transaction
    from newsletter.errors import SubscriberListError
    from newsletter.subscribers.segments import find_segment, find_segment_text

    now = datetime.datetime.now(datetime.UTC)
    try:
        find_segment_text(name_or_query, project.config)
        with open_existing_list(project) as engine:
            if engine is not None:
                with read_transaction(engine) as connection:
                    find_segment(connection, name_or_query, project.config, now)
    except SubscriberListError as error:
        raise UsageError.from_problems(error.problems) from error


def check_feeds(project: "Project", seen: "SeenPosts", *, accept_flood: bool) -> "list[FeedCheck]":
    """Check the feeds of newsletter.yml; if one can't be read, nothing is imported of any.

    Raises:
        UsageError: newsletter.yml has no feed.
        NewsletterError: a feed can't be read, or has far more new posts than ever before.
    """
    from newsletter.posts.importing.sources.feeds.check_feed import check_feed
    from newsletter.posts.importing.sources.feeds.feed import NotAFeedError

    if not project.config.blog.feeds:
        raise UsageError(
            "newsletter.yml names no feed",
            remedy="Add your blog's: blog: {feeds: https://example.com/feed.xml}",
        )
    downloader, settings = make_downloader(project), get_source_settings(project)
    checks: list[FeedCheck] = []
    problems: list[Problem] = []
    for url in dict.fromkeys(project.config.blog.feeds):
        try:
            check = check_feed(url, seen, downloader, settings)
        except NotAFeedError as error:
            problems += (make_page_error(url, error.page, url) if error.page else error).problems
            continue
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
    titles = [isolate_bidi(post.title or post.url) for post in run.list_new()]
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
    from newsletter.cli.issue.weekly_digest import make_weekly_digest, split_for_digest

    posts = split_for_digest(run.list_new())
    run.later = posts.later
    run.without_card = posts.without_page
    if row := make_weekly_digest(run.project, posts.taken, is_draft=is_draft):
        run.rows.append(row)
        run.problems += row.problems
    run.is_digest = True


def _import_new(run: WeeklyRun, *, is_draft: bool, full: bool) -> None:
    """Import the new posts; as drafts, unless they are to be scheduled."""
    today = datetime.datetime.now(ZoneInfo(run.project.config.timezone)).date()
    for check in run.checks:
        posts = check.posts.new
        request = ImportRequest(sources=(check.after.url,), today=today, full=full)
        options = replace(make_import_options(run.project, request), as_draft=is_draft)
        run.rows += import_chosen(run.project, posts, options, len(posts))
    run.problems += [problem for row in run.rows for problem in row.problems]


def _check_issues(run: WeeklyRun) -> None:
    """Check the issues of this week's posts, also of those that an interrupted run has imported."""
    for row in run.rows:
        issue = str(row.data.get("issue"))
        if row.state == "failed" or any(issue == result.issue for result in run.checked):
            continue
        try:
            folder = run.project.issues_dir / issue
            run.checked.append(check_issue(run.project, folder, online=False))
        except NewsletterError as error:
            run.problems += error.problems


def _record(run: WeeklyRun, seen: "SeenPosts") -> None:
    """Record this week's posts as seen, now that nothing is left to do with them."""
    from newsletter.posts.importing.sources.feeds.check_feed import record_seen

    for check, written in zip(run.checks, run.list_written(), strict=True):
        record_seen(seen, check, written)
