"""Tell a feed's new posts from those seen before; stop a flood. Pure."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
from newsletter.posts.importing.sources.feeds.feed import Feed
from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts
from newsletter.posts.importing.sources.feeds.seen_records import (
    SeenFeed,
    SeenPost,
    SeenPostIndex,
    count_most_at_once,
    count_most_within,
    describe_posts,
)
from newsletter.wording import format_count

_MIN_ALL_NEW = 2
_MIN_LATE, _MAX_LATE = 3, 10
_MIN_RECENT = 5
_MIN_DAYS = 7
_ARCHIVE_AGE = datetime.timedelta(days=30)
_SLACK = datetime.timedelta(days=2)  # caches of servers, time zones


@dataclass(frozen=True, slots=True)
class FloodWarning:
    """More new posts at once than the history of a feed explains; nothing is imported.

    Attributes:
        reason: what is unusual, one sentence without a full stop.
        posts: the posts that seem to be new.
    """

    reason: str
    posts: tuple[SourcePost, ...]


@dataclass(frozen=True, slots=True)
class NewPosts:
    """The posts of a feed, sorted.

    Attributes:
        new: posts that were not seen before, in the feed's order; empty at the first check.
        known: posts that were, and at the first check all posts.
        unreadable: posts that can't be read; they count as new again when they can.
        is_first: whether the feed is checked for the first time.
        described: all posts that can be read, each with its record.
        flood: why the new ones may be old ones; ``None`` if nothing is unusual.
    """

    new: tuple[SourcePost, ...] = ()
    known: tuple[SourcePost, ...] = ()
    unreadable: tuple[UnreadablePost, ...] = ()
    is_first: bool = False
    described: tuple[tuple[SourcePost, SeenPost], ...] = ()
    flood: FloodWarning | None = None


def select_new(
    feed: Feed, seen: SeenPosts, known_feed: SeenFeed, *, now: datetime.datetime
) -> NewPosts:
    """Return which posts of a feed are new.

    At the first check none is: whoever connects a blog to the newsletter doesn't want to mail its
    archive. For the same reason, a post that turns up later is old if it was published more than
    30 days before the first check. Of two new posts with one text, the first is taken.

    Args:
        feed: the feed.
        seen: the posts that were seen.
        known_feed: what is known of the feed.
        now: the time of the check.
    """
    posts = [post for post in feed.posts if isinstance(post, SourcePost)]
    unreadable = tuple(post for post in feed.posts if isinstance(post, UnreadablePost))
    described = tuple(zip(posts, describe_posts(known_feed.key, posts, now.date()), strict=True))
    result = NewPosts(unreadable=unreadable, described=described)
    if not known_feed.checked:
        return replace(result, known=tuple(posts), is_first=True)
    history = seen.list_posts(known_feed)
    oldest = _find_oldest_new(history, known_feed)
    index, in_this_feed = seen.make_index(), SeenPostIndex()
    has_recorded = False
    new: list[SourcePost] = []
    known: list[SourcePost] = []
    for post, record in described:
        is_recorded = index.find(record) is not None
        has_recorded = has_recorded or is_recorded
        if is_recorded or (record.published and record.day < oldest):
            known.append(post)
        # Not known either: if the first one can't be imported, both are new again.
        elif not in_this_feed.find(record):
            new.append(post)
            in_this_feed.add(record)
    all_unknown = len(posts) if not has_recorded and len(posts) >= _MIN_ALL_NEW else 0
    flood = find_flood(new, history, known_feed, now, all_unknown=all_unknown)
    return replace(result, new=tuple(new), known=tuple(known), flood=flood)


def find_flood(
    new: Sequence[SourcePost],
    history: Sequence[SeenPost],
    known_feed: SeenFeed,
    now: datetime.datetime,
    *,
    all_unknown: int,
) -> FloodWarning | None:
    """Return why so many posts can't be new, ``None`` if they can.

    A site that changes the ids and addresses of its posts makes all of them new; this must not mail
    the archive once more. So an import stops in any of these cases:

    1. The feed had posts before, has two or more now, and none of them was seen before.
    2. More than 3 new posts are late: they have no date, or one from before the last check (less
       two days), when they should have been seen. If at an earlier check more were new at once, so
       many may be late, but never more than 10.
    3. There are more than 5 other new posts, and more than the feed ever published within as many
       days as have passed since the last check (within a week, if that was less).

    Args:
        new: the new posts.
        history: what was seen of the feed.
        known_feed: what is known of it, with the date of the last check.
        now: the time of this check.
        all_unknown: the number of posts in the feed if there is a record of none, else 0.
    """
    if new and history and all_unknown:
        return FloodWarning(
            f"none of the {all_unknown} posts in the feed was seen before, though others were",
            tuple(new),
        )
    last_check = datetime.datetime.combine(
        datetime.date.fromisoformat(known_feed.checked), datetime.time(), datetime.UTC
    )
    late = [
        post
        for post in new
        if post.date is None or not last_check - _SLACK <= post.date <= now + _SLACK
    ]
    allowed_late = min(max(_MIN_LATE, count_most_at_once(history)), _MAX_LATE)
    if len(late) > allowed_late:
        return FloodWarning(
            f"{format_count(len(late), 'new post')} have no date, or one from before the last "
            f"check on {known_feed.checked}",
            tuple(new),
        )
    days = max((now - last_check).days, _MIN_DAYS)
    usual = count_most_within(history, days)
    recent = len(new) - len(late)
    if recent > max(_MIN_RECENT, usual):
        return FloodWarning(
            f"{format_count(recent, 'new post')} since {known_feed.checked}; so far, the feed had "
            f"at most {usual} in {format_count(days, 'day')}",
            tuple(new),
        )
    return None


def _find_oldest_new(history: Sequence[SeenPost], known_feed: SeenFeed) -> datetime.date:
    """Return the date before which a post is not new, even if there is no record of it."""
    first_check = min((record.seen for record in history), default=known_feed.checked)
    oldest = datetime.date.fromisoformat(first_check) - _ARCHIVE_AGE
    if not known_feed.forgotten:
        return oldest
    # Records of older posts were dropped.
    after_dropped = datetime.date.fromisoformat(known_feed.forgotten) + datetime.timedelta(days=1)
    return max(oldest, after_dropped)
