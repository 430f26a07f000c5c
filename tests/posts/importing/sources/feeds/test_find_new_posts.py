"""Which posts are new, and when that can't be."""

import datetime
from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.errors import Problem
from newsletter.posts.importing.source_post import SourcePost, UnreadablePost
from newsletter.posts.importing.sources.feeds.feed import Feed
from newsletter.posts.importing.sources.feeds.find_new_posts import NewPosts, select_new
from newsletter.posts.importing.sources.feeds.seen_posts import SeenPosts
from newsletter.posts.importing.sources.feeds.seen_records import describe_posts

URL = "https://harbour.example/feed.xml"
FIRST = datetime.datetime(2026, 9, 1, 12, tzinfo=datetime.UTC)
LAST = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
NOW = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def make_post(name: str, date: datetime.datetime | None) -> SourcePost:
    return SourcePost(
        title=name,
        content=f"<p>The whole text of the post {name}.</p>",
        post_id=f"id {name}",
        url=f"https://harbour.example/{name}",
        date=date,
    )


def make_posts(name: str, *dates: datetime.datetime | None) -> list[SourcePost]:
    return [make_post(f"{name}{number}", date) for number, date in enumerate(dates)]


WEEKLY = make_posts("weekly", *(FIRST + 7 * number * DAY for number in range(-20, 11)))


@pytest.fixture
def seen(tmp_path: Path) -> SeenPosts:
    """A blog with a post a week, which has been checked each week since September."""
    seen = SeenPosts.load(tmp_path)
    feed = replace(seen.get_feed(URL), checked=LAST.date().isoformat())
    seen.set_feed(feed)
    for week in range(12):
        now = FIRST + 7 * week * DAY
        posts = [post for post in WEEKLY if post.date and post.date <= now]
        records = describe_posts(feed.key, posts, now.date())
        seen.add_posts(feed, posts, list(zip(posts, records, strict=True)))
    return seen


def select(seen: SeenPosts, *posts: SourcePost | UnreadablePost) -> NewPosts:
    return select_new(Feed("", URL, tuple(posts)), seen, seen.get_feed(URL), now=NOW)


@pytest.mark.parametrize(
    ("new", "shown", "expected"),
    [
        ([NOW, LAST, LAST - DAY], 3, 3),
        ([NOW, LAST - 3 * DAY, None], 3, 1),  # older than the last check, less two days; undated
        ([NOW, LAST, LAST - DAY], 2, None),  # most posts were never seen: another blog
        ([NOW], 0, None),
        ([], 3, 0),
    ],
)
def test_feed_with_the_posts_of_another_goes_on_from_its_last_check(
    seen: SeenPosts, new: list[datetime.datetime | None], shown: int, expected: int | None
) -> None:
    posts = [*make_posts("new", *new), *(WEEKLY[-shown:] if shown else ())]
    feed = Feed("", "https://moved.example/feed", tuple(posts))
    result = select_new(feed, seen, seen.get_feed(feed.url), now=NOW)
    assert (result.is_first, result.former) == (
        expected is None,
        None if expected is None else seen.get_feed(URL),
    )
    assert result.new == tuple(posts[: expected or 0])


def test_post_edited_at_another_address_is_known_by_its_id(seen: SeenPosts) -> None:
    post = make_post("late", LAST - DAY)
    known_feed = seen.get_feed(URL)
    (record,) = describe_posts(known_feed.key, [post], LAST.date())
    seen.add_posts(known_feed, [post], [(post, record)])
    edited = replace(post, url="https://moved.example/late", content="<p>Edited.</p>")
    feed = Feed("", "https://moved.example/feed", (edited, *WEEKLY))
    assert select_new(feed, seen, seen.get_feed(feed.url), now=NOW).new == ()


def test_flood_at_another_address_is_stopped(seen: SeenPosts) -> None:
    posts = (*make_posts("new", *[NOW] * 6), *WEEKLY)
    feed = Feed("", "https://moved.example/feed", posts)
    assert select_new(feed, seen, seen.get_feed(feed.url), now=NOW).flood


@pytest.mark.parametrize(
    ("new", "shown", "words"),
    [
        ([NOW - DAY], 30, ""),
        ([NOW - DAY], 0, ""),  # a feed of one post
        ([NOW - n * DAY for n in range(5)], 30, ""),
        ([LAST - DAY] * 3, 30, ""),  # dated back
        ([None] * 3, 30, ""),
        ([NOW, None], 0, "none of the 2 posts in the feed was seen before"),
        ([NOW - n * DAY for n in range(6)], 30, "6 new posts since 2026-11-20; so far"),
        ([LAST - 3 * DAY] * 4, 30, "4 new posts have no date, or one from before the last check"),
        ([None] * 4, 30, "4 new posts have no date"),
        ([NOW + 9 * DAY] * 4, 30, "4 new posts have no date"),  # a wrong clock
    ],
)
def test_more_posts_than_the_history_explains_are_a_flood(
    seen: SeenPosts, new: list[datetime.datetime | None], shown: int, words: str
) -> None:
    posts = make_posts("new", *new)
    result = select(seen, *posts, *WEEKLY[-shown or len(WEEKLY) :])
    assert list(result.new) == posts
    assert len(result.known) == min(shown, len(WEEKLY))
    if not words:
        assert result.flood is None
    else:
        assert result.flood is not None
        assert words in result.flood.reason
        assert list(result.flood.posts) == posts


def test_long_pause_explains_many_posts(seen: SeenPosts) -> None:
    feed = replace(seen.get_feed(URL), checked="2026-09-01")
    seen.set_feed(feed)
    posts = make_posts("new", *(NOW - 7 * n * DAY for n in range(8)))
    assert select(seen, *posts, *WEEKLY).flood is None


def test_first_check_imports_nothing_and_an_empty_feed_may_fill(tmp_path: Path) -> None:
    seen = SeenPosts.load(tmp_path)
    first = select(seen, *WEEKLY)
    assert (first.new, first.is_first, len(first.known)) == ((), True, len(WEEKLY))
    seen.set_feed(replace(seen.get_feed(URL), checked=LAST.date().isoformat()))
    second = select(seen, *make_posts("new", NOW, NOW - DAY))
    assert (len(second.new), second.flood) == (2, None)


def test_archive_that_turns_up_later_is_old(seen: SeenPosts) -> None:
    archive = make_posts("old", *[FIRST - 31 * DAY] * 9)
    result = select(seen, *archive, *WEEKLY)
    assert (result.new, result.flood) == ((), None)
    assert len(result.known) == len(archive) + len(WEEKLY)


def test_whole_archive_with_new_names_is_a_flood(seen: SeenPosts) -> None:
    renamed = make_posts("renamed", *(post.date for post in WEEKLY))
    result = select(seen, *renamed)
    assert result.flood is not None
    assert "none of the 31 posts" in result.flood.reason


def test_post_older_than_the_records_that_were_dropped_is_old(seen: SeenPosts) -> None:
    seen.set_feed(replace(seen.get_feed(URL), forgotten="2026-11-26"))
    dates = [datetime.datetime(2026, 11, day, tzinfo=datetime.UTC) for day in (25, 26, 27)]
    result = select(seen, *make_posts("new", *dates), *WEEKLY)
    assert [post.title for post in result.new] == ["new2"]


def test_text_that_is_there_twice_is_taken_once_and_not_yet_known(seen: SeenPosts) -> None:
    first = make_post("new", NOW)
    twin = replace(first, post_id="other", url="https://harbour.example/other")
    result = select(seen, first, twin, *WEEKLY)
    assert result.new == (first,)
    assert twin not in result.known


def test_post_that_cannot_be_read_is_listed_each_time(seen: SeenPosts) -> None:
    bad = UnreadablePost("Large", Problem("too large"))
    assert select(seen, bad, *WEEKLY).unreadable == (bad,)
