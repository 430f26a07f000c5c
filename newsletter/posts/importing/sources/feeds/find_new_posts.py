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
    hash_unreadable_post,
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
        still_unreadable: those of which the editor was told before.
        is_first: whether the feed is checked for the first time.
        former: at the first check, the feed that has most of these posts: the blog has moved.
        described: all posts that can be read, each with its record.
        flood: why the new ones may be old ones; ``None`` if nothing is unusual.
    """

    new: tuple[SourcePost, ...] = ()
    known: tuple[SourcePost, ...] = ()
    unreadable: tuple[UnreadablePost, ...] = ()
    still_unreadable: tuple[UnreadablePost, ...] = ()
    is_first: bool = False
    former: SeenFeed | None = None
    described: tuple[tuple[SourcePost, SeenPost], ...] = ()
    flood: FloodWarning | None = None


def select_new(
    feed: Feed, seen: SeenPosts, known_feed: SeenFeed, *, now: datetime.datetime
) -> NewPosts:
    """Return which posts of a feed are new.

    At the first check none is: whoever connects a blog to the newsletter doesn't want to mail its
    archive. For the same reason, a post that turns up later is old if it was published more than
    30 days before the first check. Of two new posts with one text, the first is taken.

    A feed of which most posts were seen in another feed is that one at a new address: new is what
    was published since that was checked last.

    Args:
        feed: the feed.
        seen: the posts that were seen.
        known_feed: what is known of the feed.
        now: the time of the check.
    """
    posts = [post for post in feed.posts if isinstance(post, SourcePost)]
    unreadable, still_unreadable = _split_unreadable(feed, known_feed)
    described = tuple(zip(posts, describe_posts(known_feed.key, posts, now.date()), strict=True))
    former = None if known_feed.checked else _find_former_feed(described, seen)
    result = NewPosts(
        unreadable=unreadable,
        still_unreadable=still_unreadable,
        former=former,
        described=described,
    )
    if not known_feed.checked and not former:
        return replace(result, known=tuple(posts), is_first=True)
    known_feed = former or known_feed
    history = seen.list_posts(known_feed)
    oldest = (
        (_get_last_check(known_feed) - _SLACK).date()
        if former
        else _find_oldest_new(history, known_feed)
    )
    index, in_this_feed = seen.make_index(), SeenPostIndex()
    has_recorded = False
    new: list[SourcePost] = []
    known: list[SourcePost] = []
    for post, record in described:
        is_recorded = index.find(replace(record, feed=known_feed.key)) is not None
        has_recorded = has_recorded or is_recorded
        is_old = record.day < oldest if record.published else former is not None
        if is_recorded or is_old:
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
    last_check = _get_last_check(known_feed)
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


def _split_unreadable(
    feed: Feed, known_feed: SeenFeed
) -> tuple[tuple[UnreadablePost, ...], tuple[UnreadablePost, ...]]:
    """Return the posts that can't be read, and those that were reported before."""
    reported = list(known_feed.unreadable)
    unreadable: list[UnreadablePost] = []
    still_unreadable: list[UnreadablePost] = []
    for post in feed.posts:
        if isinstance(post, UnreadablePost):
            name = hash_unreadable_post(post)
            (still_unreadable if name in reported else unreadable).append(post)
            if name in reported:
                reported.remove(name)  # another one without a name is told, too
    return tuple(unreadable), tuple(still_unreadable)


def _find_former_feed(
    described: Sequence[tuple[SourcePost, SeenPost]], seen: SeenPosts
) -> SeenFeed | None:
    """Return the feed in which at least half of these posts were seen."""
    counts: dict[SeenFeed, int] = {}
    for feed in seen.list_feeds():
        index = SeenPostIndex(seen.list_posts(feed))
        found = (index.find(replace(record, feed=feed.key)) for _, record in described)
        if feed.checked and (count := sum(record is not None for record in found)):
            counts[feed] = count
    former = max(counts, key=lambda feed: (counts[feed], feed.checked), default=None)
    return former if former and 2 * counts[former] >= len(described) else None


def _get_last_check(feed: SeenFeed) -> datetime.datetime:
    day = datetime.date.fromisoformat(feed.checked)
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


def _find_oldest_new(history: Sequence[SeenPost], known_feed: SeenFeed) -> datetime.date:
    """Return the date before which a post is not new, even if there is no record of it."""
    first_check = min((record.seen for record in history), default=known_feed.checked)
    oldest = datetime.date.fromisoformat(first_check) - _ARCHIVE_AGE
    if not known_feed.forgotten:
        return oldest
    # Records of older posts were dropped.
    after_dropped = datetime.date.fromisoformat(known_feed.forgotten) + datetime.timedelta(days=1)
    return max(oldest, after_dropped)
