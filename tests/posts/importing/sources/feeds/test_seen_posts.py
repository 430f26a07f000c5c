"""The file of seen posts: written sorted, merged by git, never taken for empty."""

import datetime
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from newsletter.errors import ProjectError
from newsletter.posts.importing.source_post import SourcePost
from newsletter.posts.importing.sources.feeds import seen_posts
from newsletter.posts.importing.sources.feeds.seen_posts import SEEN_POSTS_FILE_NAME, SeenPosts
from newsletter.posts.importing.sources.feeds.seen_records import (
    SeenFeed,
    SeenPost,
    count_most_at_once,
    count_most_within,
    describe_posts,
)

URL = "https://harbour.example/feed.xml"
TODAY = datetime.date(2026, 11, 30)
NOON = datetime.datetime(2026, 11, 30, 12, tzinfo=datetime.UTC)


def make_post(number: int = 1, **changes: Any) -> SourcePost:
    post = SourcePost(
        title=f"Tide {number}",
        content=f"<p>The whole text of post number {number}.</p>",
        post_id=f"https://harbour.example/?p={number}",
        url=f"https://harbour.example/{number}/",
        date=NOON - datetime.timedelta(days=number),
    )
    return replace(post, **changes)


def record(seen: SeenPosts, *posts: SourcePost, today: datetime.date = TODAY) -> None:
    feed = seen.get_feed(URL)
    seen.set_feed(feed)
    seen.add_posts(
        feed, posts, list(zip(posts, describe_posts(feed.key, posts, today), strict=True))
    )


def find(seen: SeenPosts, post: SourcePost, *others: SourcePost) -> SeenPost | None:
    key = seen.get_feed(URL).key
    return seen.make_index().find(describe_posts(key, [post, *others], TODAY)[0])


def test_secret_in_a_stored_url_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / SEEN_POSTS_FILE_NAME
    path.write_text(
        '{"version": 1, "entries": [\n'
        f'{{"feed": "a1", "url": "{URL}?token=s3cret", "moved_to": "{URL}?key=s3cret"}},\nnull]}}\n'
    )
    seen = SeenPosts.load(tmp_path)
    assert seen.get_feed(f"{URL}?token=an0ther").key == "a1"
    post = make_post(url="https://harbour.example/?post=1&token=s3cret")
    record(seen, post)
    seen.save()
    assert "s3cret" not in path.read_text()
    seen = SeenPosts.load(tmp_path)
    assert find(seen, replace(post, post_id="new", content="Edited."))
    other = replace(post, post_id="new", content="Another.", url=post.url.replace("=1", "=2"))
    assert find(seen, other) is None


@pytest.mark.parametrize(
    ("changes", "is_known"),
    [
        ({}, True),
        ({"post_id": "http://www.harbour.example/?p=1", "url": "/x", "content": "Other."}, True),
        ({"post_id": "new", "url": "http://harbour.example/1?utm_source=a#b"}, True),
        ({"post_id": "new", "url": "https://harbour.example/moved"}, True),  # the same text
        ({"post_id": "new", "content": "<p>Another text altogether.</p>"}, True),
        ({"url": "https://harbour.example/b", "content": "An edited text in a new place."}, True),
        # An id that was used again, three years later.
        ({"url": "https://harbour.example/b", "content": "Another post", "date": NOON}, False),
        ({"url": "https://harbour.example/b", "content": "Another post", "date": None}, False),
        ({"post_id": "new", "url": "https://harbour.example/b", "content": "Another."}, False),
        ({"post_id": "", "url": "", "content": ""}, False),
    ],
)
def test_post_is_known_by_id_then_url_then_text(
    tmp_path: Path, changes: dict[str, Any], is_known: bool
) -> None:
    seen = SeenPosts.load(tmp_path)
    record(seen, make_post())
    assert (find(seen, make_post(**changes)) is not None) is is_known


def test_id_or_url_that_several_posts_share_says_nothing(tmp_path: Path) -> None:
    seen = SeenPosts.load(tmp_path)
    same_id = [make_post(n, post_id="one for all") for n in (1, 2)]
    same_url = [make_post(n, url="https://harbour.example/news#a") for n in (3, 4)]
    record(seen, *same_id, *same_url)
    assert find(seen, make_post(5, post_id="one for all")) is None
    assert find(seen, make_post(6, url="https://harbour.example/news#c"), same_url[0]) is None
    assert find(seen, same_id[0]) is not None


def test_id_counts_only_in_its_own_feed(tmp_path: Path) -> None:
    seen = SeenPosts.load(tmp_path)
    record(seen, make_post(post_id="1"))
    (other,) = describe_posts("another", [make_post(2, post_id="1")], TODAY)
    assert seen.make_index().find(other) is None
    (same_url,) = describe_posts("another", [make_post(post_id="9")], TODAY)
    assert seen.make_index().find(same_url) is not None


def test_known_post_is_remembered_as_it_is_now(tmp_path: Path) -> None:
    seen = SeenPosts.load(tmp_path)
    record(seen, make_post())
    edited = make_post(content="<p>Edited, with another end.</p>")
    record(seen, edited, today=TODAY + datetime.timedelta(days=7))
    renamed = replace(edited, post_id="new", url="https://harbour.example/new")
    found = find(seen, renamed)
    assert found is not None
    assert found.seen == "2026-11-30"
    assert len(seen.list_posts(seen.get_feed(URL))) == 1


def test_file_has_one_entry_a_line_and_is_the_same_in_any_order(tmp_path: Path) -> None:
    texts = set()
    for order in ([1, 2, 3], [3, 1, 2]):
        seen = SeenPosts(tmp_path / SEEN_POSTS_FILE_NAME)
        record(seen, *(make_post(number) for number in order))
        seen.save()
        texts.add(seen.path.read_text())
    (text,) = texts
    first, feed, *posts, last = text.splitlines()
    assert first == '{"version": 1, "entries": ['
    assert last == "null]}"
    assert f'"url": "{URL}"' in feed
    assert ['"post": "harbour.example/1"' in line for line in posts] == [True, False, False]
    assert all(line.endswith(",") for line in posts)
    again = SeenPosts.load(tmp_path)
    assert find(again, make_post(2)) is not None
    before = again.path.stat().st_mtime_ns
    again.save()
    assert again.path.stat().st_mtime_ns == before


def test_thousands_of_posts_take_less_than_a_megabyte(tmp_path: Path) -> None:
    seen = SeenPosts.load(tmp_path)
    slug = "a-title-of-the-usual-length-of-a-post"
    record(seen, *(make_post(n, url=f"https://harbour.example/{slug}-{n}") for n in range(4_000)))
    seen.save()
    assert seen.path.stat().st_size < 1_000_000


def test_what_two_branches_add_is_merged_by_git(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        user = ("-c", "user.name=A", "-c", "user.email=a@a.example")
        subprocess.run(["git", *user, *arguments], cwd=tmp_path, check=True, capture_output=True)

    def commit(*numbers: int) -> None:
        seen = SeenPosts.load(tmp_path)
        record(seen, *map(make_post, numbers))
        seen.save()
        git("add", ".")
        git("commit", "-m", "seen")

    git("init", "-b", "main")
    commit(10, 40, 70)
    git("checkout", "-b", "other")
    commit(20)
    git("checkout", "main")
    commit(50)
    git("merge", "other")
    seen = SeenPosts.load(tmp_path)
    assert all(find(seen, make_post(number)) for number in (10, 20, 40, 50, 70))


LINES = '{"version": 1, "entries": [\n{"feed": "a", "url": "https://a.example/f"},\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{LINES}<<<<<<< HEAD\nnull]}}", 3, "those of both sides can stay"),
        (f"{LINES}=======\nnull]}}", 3, "a conflict of a merge"),
        (LINES, 3, "git checkout -- seen-posts.json"),
        ("", 1, "the file is damaged"),
        ('{"version": ' + "1" * 5000, None, "the file is damaged"),
        ("[]", None, "not a list of seen posts"),
        ('{"version": 2, "entries": []}', None, "newer version"),
        (f'{LINES}{{"feed": "a", "post": 1, "seen": "2026-11-30"}},\nnull]}}', 3, "can't be read"),
        (f'{LINES}{{"feed": "a", "post": "", "seen": "today"}},\nnull]}}', 3, "can't be read"),
        (f'{LINES}{{"feed": "a", "url": "", "gone": "x"}},\nnull]}}', 3, "can't be read"),
        (f"{LINES}7,\nnull]}}", 3, "can't be read"),
    ],
)
def test_damaged_file_is_an_error_with_its_line(
    tmp_path: Path, text: str, line: int | None, words: str
) -> None:
    (tmp_path / SEEN_POSTS_FILE_NAME).write_text(text)
    with pytest.raises(ProjectError, match=words) as caught:
        SeenPosts.load(tmp_path)
    where = caught.value.problems[0].where
    assert where is not None
    assert where.line == line


def test_lines_of_both_sides_of_a_conflict_can_stay(tmp_path: Path) -> None:
    feed = '{"feed": "a", "url": "https://a.example/f", "etag": "x", "checked": "2026-11-2%s"},\n'
    post = '{"feed": "a", "post": "a.example/1", "id": "1", "text": "1", "seen": "2026-11-2%s"},\n'
    text = f'{{"version": 1, "entries": [\n{feed % 3}{feed % 1}{post % 4}{post % 2}null]}}'
    (tmp_path / SEEN_POSTS_FILE_NAME).write_text(text)
    seen = SeenPosts.load(tmp_path)
    merged = seen.get_feed("https://a.example/f")
    assert (merged.checked, merged.etag) == ("2026-11-23", "")
    assert [post.seen for post in seen.list_posts(merged)] == ["2026-11-22"]


def test_a_feed_whose_line_was_deleted_is_not_new(tmp_path: Path) -> None:
    seen = SeenPosts(tmp_path / SEEN_POSTS_FILE_NAME)
    record(seen, make_post(1), today=TODAY - datetime.timedelta(days=7))
    record(seen, make_post(2))
    seen.save()
    lines = seen.path.read_text().splitlines()
    left = "\n".join(line for line in lines if '"url"' not in line)
    seen.path.write_text(left, encoding="utf-8-sig")
    feed = SeenPosts.load(tmp_path).get_feed(URL)
    assert (feed.url, feed.checked) == (URL, TODAY.isoformat())
    assert not SeenPosts.load(tmp_path).get_feed("https://other.example/feed").checked


def test_feed_is_known_with_either_protocol_and_after_it_has_moved(tmp_path: Path) -> None:
    seen = SeenPosts.load(tmp_path)
    feed = seen.get_feed(URL)
    seen.set_feed(replace(feed, url="https://new.example/feed.xml", etag="x"))
    for url in (URL, "http://www.harbour.example/feed.xml", "http://new.example/feed.xml"):
        assert seen.get_feed(url).etag == "x"
    assert seen.get_feed("https://other.example/") == SeenFeed(
        seen.get_feed("https://other.example/").key, "https://other.example/"
    )


def test_oldest_records_are_dropped_and_their_date_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seen_posts, "MAX_POSTS_PER_FEED", 3)
    seen = SeenPosts.load(tmp_path)
    record(seen, *(make_post(number) for number in (4, 5, 6)))
    # A post that is still in the feed keeps its record.
    record(seen, *(make_post(number) for number in (2, 3, 6)))
    kept = seen.list_posts(seen.get_feed(URL))
    assert sorted(record.url for record in kept) == [f"harbour.example/{n}" for n in (2, 3, 6)]
    assert seen.get_feed(URL).forgotten == "2026-11-26"


def test_history_is_counted() -> None:
    def make(published: str, seen: str) -> SeenPost:
        return SeenPost("a", "", "", "", published, seen)

    records = [
        make("2026-10-01T00:00:00Z", "2026-11-01"),
        make("2026-10-02T00:00:00Z", "2026-11-01"),
        make("2026-10-03T00:00:00Z", "2026-11-01"),
        make("2026-11-07T00:00:00Z", "2026-11-08"),
        make("", "2026-11-08"),
    ]
    assert count_most_at_once(records) == 2
    assert [count_most_within(records, days) for days in (1, 2, 3, 60)] == [1, 2, 3, 5]
    assert (count_most_at_once([]), count_most_within([], 7)) == (0, 0)
