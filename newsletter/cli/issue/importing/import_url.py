"""Import from the web: a page, or the posts of a feed."""

import datetime
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from newsletter.cli.issue.importing.import_collection import (
    finish_import,
    import_collection,
    summarize_source,
)
from newsletter.cli.issue.importing.import_many import ImportedRow, import_chosen, print_imports
from newsletter.cli.issue.importing.import_request import (
    ImportRequest,
    get_source_settings,
    make_import_options,
    make_selection,
)
from newsletter.cli.issue.importing.web_content import make_downloader
from newsletter.cli.output import echo, isolate_bidi, print_problem
from newsletter.errors import NewsletterError, NothingToDoError, PostError, Problem, UsageError
from newsletter.wording import format_count

if TYPE_CHECKING:
    from collections import Counter

    from newsletter.fetch.download import Download, Downloader
    from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
    from newsletter.posts.importing.sources.feeds.check_feed import FeedCheck
    from newsletter.posts.importing.sources.feeds.feed import NotAFeedError
    from newsletter.posts.importing.sources.feeds.find_new_posts import FloodWarning
    from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts
    from newsletter.project import Project

_TYPES = (
    "text/html, application/rss+xml, application/atom+xml, application/feed+json, "
    "application/xml;q=0.9, */*;q=0.8"
)
_MAX_LISTED_POSTS = 20


def import_url(project: "Project", request: ImportRequest) -> int:
    """Import a page, or the chosen posts of a feed; print what was done, return the exit code.

    Raises:
        NewsletterError: the URL can't be fetched, or is neither a page nor a feed.
    """
    from newsletter.posts.importing.sources.feeds.feed import NotAFeedError
    from newsletter.posts.importing.sources.feeds.parse_feed import parse_feed

    downloader = make_downloader(project)
    if request.new_only:
        return import_new(project, downloader, request)
    download = downloader.download(
        request.sources[0], max_bytes=project.config.limits.post_bytes, accept=_TYPES
    )
    try:
        feed = parse_feed(
            download.body,
            url=download.url,
            headers=download.headers,
            settings=get_source_settings(project, request.base_url),
        )
    except NotAFeedError as error:
        if not error.page:
            raise
        return _import_page(project, download, error, request)
    request.refuse_single_options(feed.description)
    for remark in feed.remarks:
        print_problem("Note: ", Problem(f"{remark}."))
    return import_collection(project, feed, request)


def _import_page(
    project: "Project", download: "Download", error: "NotAFeedError", request: ImportRequest
) -> int:
    """Import one web page; if posts of a feed were asked for, name the feeds of the page."""
    from newsletter.posts.importing.choose_posts import PostChooser
    from newsletter.posts.importing.sources.web_page import parse_page_download

    timezone = ZoneInfo(project.config.timezone)
    if request.has_choice or request.list_only:
        raise make_page_error(request.source_name, error.page, download.url) from error
    if request.keep:
        raise UsageError(
            "--keep needs a file, whose lines stay as they are",
            remedy="Save the page in a browser, and import the saved file.",
        )
    post = parse_page_download(download, project.config.blog.article or "")
    if request.slug or request.date:
        post = replace(post, slug=request.slug or post.slug, date=_get_noon(request) or post.date)
    rows = import_chosen(project, [post], make_import_options(project, request), 1)
    counts = print_imports(
        rows,
        lambda: {
            "source": request.source_name,
            "kind": "web page",
            "not_chosen": {},
            "other_items": {},
        },
        as_json=request.as_json,
    )
    return finish_import(request, PostChooser(make_selection(request), timezone), counts)


def _get_noon(request: ImportRequest) -> datetime.datetime | None:
    """Return noon UTC of the date that the user has typed, which is that date nearly anywhere."""
    if request.date is None:
        return None
    return datetime.datetime.combine(request.date, datetime.time(12), datetime.UTC)


def make_page_error(source: str, page: str, url: str) -> PostError:
    """Return the error for a page where a feed was expected; it names the page's feeds."""
    from newsletter.posts.importing.sources.web_page import find_feeds
    from newsletter.url_secrets import mask_url_secrets

    links = ", ".join(link.url for link in find_feeds(page, url))
    return PostError(
        f"{mask_url_secrets(source)} is a web page, not a feed",
        remedy=f"It links to: {links}"
        if links
        else "To import the page as one post, leave the other options out.",
    )


def import_new(project: "Project", downloader: "Downloader", request: ImportRequest) -> int:
    """Import the posts of a feed that were not seen before, and return the exit code.

    Raises:
        UsageError: an option chooses other posts.
        NewsletterError: the feed can't be read, or has far more new posts than ever before.
    """
    from newsletter.posts.importing.choose_posts import PostChooser
    from newsletter.posts.importing.sources.feeds.check_feed import check_feed
    from newsletter.posts.importing.sources.feeds.feed import NotAFeedError
    from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts

    request.refuse_choices_beside_new()
    request.refuse_single_options("feed")
    seen = SeenPosts.load(project.root)
    settings = get_source_settings(project, request.base_url)
    try:
        check = check_feed(request.sources[0], seen, downloader, settings)
    except NotAFeedError as error:
        if not error.page:
            raise
        raise make_page_error(request.source_name, error.page, request.source_name) from error
    for remark in check.remarks:
        print_problem("Note: ", Problem(f"{remark}."))
    if check.posts.flood and not request.accept_flood:
        raise make_flood_error(request.source_name, check.posts.flood)
    options = make_import_options(project, request)
    chooser = PostChooser(make_selection(request), options.timezone)
    posts: list[SourcePost | UnreadablePost] = [*check.posts.new, *check.posts.unreadable]
    rows = _record_each(seen, check, import_chosen(project, posts, options, len(posts)))
    counts: Counter[str] = print_imports(
        rows,
        lambda: (
            summarize_source(request, check.feed, chooser)
            if check.feed
            else {
                "source": request.source_name,
                "kind": "feed",
                "not_chosen": {},
                "other_items": {},
            }
        ),
        as_json=request.as_json,
        if_none="No new post",
    )
    if check.posts.is_first and not request.as_json:
        echo(
            f"This is the first check of the feed: {format_count(len(check.posts.known), 'post')} "
            "in it will not be\nimported as new. Import the newest of them with --latest."
        )
        return NothingToDoError.exit_code if not counts["failed"] else 1
    return finish_import(request, chooser, counts)


def make_flood_error(source: str, flood: "FloodWarning") -> NewsletterError:
    """Return the error that lists the posts of a flood."""
    from newsletter.url_secrets import mask_url_secrets

    titles = [
        f"  {post.date:%Y-%m-%d}  {isolate_bidi(post.title)}"
        if post.date
        else f"  {isolate_bidi(post.title)}"
        for post in flood.posts[:_MAX_LISTED_POSTS]
    ]
    if len(flood.posts) > len(titles):
        titles.append(f"  and {len(flood.posts) - len(titles)} more")
    lines = "\n".join(titles)
    return PostError.from_problems(
        [
            Problem(
                f"{mask_url_secrets(source)}: {flood.reason}; nothing was imported:\n{lines}",
                remedy="If they really are new, import them with --accept-flood. If the blog has "
                "only changed their addresses, delete seen-posts.json: then all posts that are in "
                "the feeds count as seen.",
            )
        ]
    )


def _record_each(
    seen: "SeenPosts", check: "FeedCheck", rows: Iterator[ImportedRow]
) -> Iterator[ImportedRow]:
    """Record each post as seen once its issue is written, and the check when all are."""
    from newsletter.posts.importing.sources.feeds.check_feed import record_seen

    written = []
    for row in rows:
        if row.post is not None and row.state != "failed":
            written.append(row.post)
            record_seen(seen, check, written)
        yield row
    record_seen(seen, check, written)
