"""Check a feed for new posts; record those whose issues are written."""

import datetime
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from newsletter.posts.importing.source_post import SourcePost, SourceSettings
from newsletter.posts.importing.sources.feeds.feed import Feed
from newsletter.posts.importing.sources.feeds.fetch_feed import (
    FeedDownloader,
    FetchClock,
    fetch_feed,
)
from newsletter.posts.importing.sources.feeds.find_new_posts import NewPosts, select_new
from newsletter.posts.importing.sources.feeds.parse_feed import parse_feed
from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts
from newsletter.posts.importing.sources.feeds.seen_records import SeenFeed, hash_unreadable_post
from newsletter.wording import format_count

_MAX_TITLES = 5


@dataclass(frozen=True, slots=True)
class FeedCheck:
    """The result of checking a feed.

    Attributes:
        feed: the feed; ``None`` if it hasn't changed since the last check.
        posts: its posts, sorted; none if it hasn't changed. If ``posts.flood`` is set, the new ones
            are imported only if the user has accepted that.
        remarks: what the editor should know.
        before: what was known of the feed before the check.
        after: what is known once all new posts are recorded.
    """

    feed: Feed | None
    posts: NewPosts
    remarks: tuple[str, ...]
    before: SeenFeed
    after: SeenFeed


def check_feed(
    url: str,
    seen: SeenPosts,
    downloader: FeedDownloader,
    settings: SourceSettings,
    clock: FetchClock | None = None,
) -> FeedCheck:
    """Request a feed, and find its new posts.

    Nothing counts as seen until ``record_seen``: a post whose issue couldn't be written is new
    again next time.

    Args:
        url: the feed's URL as in the settings.
        seen: what was seen.
        downloader: sends the request.
        settings: of the newsletter.
        clock: the time, now by default.

    Raises:
        PostError: it is no feed, damaged, gone, or its server wants a pause.
        DownloadError: it can't be had for another reason.
    """
    clock = clock or FetchClock(datetime.datetime.now(datetime.UTC), time.sleep)
    response = fetch_feed(url, seen, downloader, clock)
    before = seen.get_feed(url)
    if response.download is None:
        return FeedCheck(None, NewPosts(), response.remarks, before, response.feed)
    feed = parse_feed(
        response.download.body,
        url=response.download.url,
        headers=response.download.headers,
        settings=settings,
    )
    posts = select_new(feed, seen, before, now=clock.now)
    remarks = (*response.remarks, *feed.remarks, *_list_remarks(posts))
    return FeedCheck(feed, posts, remarks, before, response.feed)


def _list_remarks(posts: NewPosts) -> Iterator[str]:
    if posts.former:
        yield (
            f"the feed has the posts of {posts.former.url}, which was checked on "
            f"{posts.former.checked}: what is older counts as seen"
        )
    if posts.still_unreadable:
        titles = ", ".join(f"'{post.title}'" for post in posts.still_unreadable[:_MAX_TITLES])
        more = "" if len(posts.still_unreadable) <= _MAX_TITLES else ", \u2026"
        count = format_count(len(posts.still_unreadable), "post")
        yield f"{count} in the feed still can't be read: {titles}{more}"


def record_seen(seen: SeenPosts, check: FeedCheck, written: Collection[SourcePost]) -> None:
    """Record the posts whose issues are written, and save the file.

    May be called after each post, with all that are written so far. As long as a new post is
    missing, the next check reads the whole feed again, and compares it with the same date.

    Args:
        seen: what was seen.
        check: the check.
        written: the posts of ``check.posts.new`` that are imported or, without an issue, are to
            count as old.

    Raises:
        FileWriteError: the file can't be written.
    """
    feed = check.after
    if check.feed is not None:
        unreadable = (*check.posts.still_unreadable, *check.posts.unreadable)
        feed = replace(feed, unreadable=tuple(map(hash_unreadable_post, unreadable)))
        seen.add_posts(feed, (*check.posts.known, *written), check.posts.described)
        if len(written) < len(check.posts.new):
            feed = replace(feed, etag="", modified="", checked=check.before.checked)
    forgotten = seen.get_feed(check.before.url).forgotten
    seen.set_feed(replace(feed, forgotten=forgotten))
    seen.save()
