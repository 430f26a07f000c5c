"""JSON Feed 1.0 and 1.1, as it is in the wild."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.feeds.feed import Feed
from newsletter.posts.importing.sources.feeds.parse_feed import is_feed, parse_feed

SETTINGS = SourceSettings(ZoneInfo("Europe/Berlin"), "en", 100_000)


def read(*items: Any, **head: Any) -> Feed:
    data = {"version": "https://jsonfeed.org/version/1.1", "title": "Notes", **head, "items": items}
    return parse_feed(
        json.dumps(data).encode(),
        url="https://harbour.example/feed.json",
        headers={},
        settings=SETTINGS,
    )


def test_all_of_an_item_is_taken() -> None:
    feed = read(
        {
            "id": "https://harbour.example/tide",
            "url": "https://harbour.example/tide",
            "title": "Low tide",
            "content_html": "<p>Sand.</p>",
            "content_text": "Sand.",
            "summary": "About the beach",
            "image": "/tide.jpg",
            "date_published": "2026-10-02T10:00:00+02:00",
            "authors": [{"name": "Zoë", "url": "https://zoe.example"}, {"name": "Ann"}],
            "tags": ["sea", "sand"],
            "language": "en-GB",
            "attachments": [{"url": "/tide.mp3", "mime_type": "audio/mpeg", "title": "Surf"}],
            "_extension": {"about": 1},
        },
        next_url="/feed2.json",
    )
    (post,) = feed.posts
    assert isinstance(post, SourcePost)
    assert post.content.startswith("<p>Sand.</p>\n<audio ")
    assert 'title="Surf"' in post.content
    assert (post.title, post.author, post.tags) == ("Low tide", "Zoë, Ann", ("sea", "sand"))
    assert (post.summary, post.hero) == ("About the beach", "https://harbour.example/tide.jpg")
    assert (str(post.date), post.language) == ("2026-10-02 10:00:00+02:00", "en-GB")
    assert (post.slug, post.removed, post.notes) == ("tide", (), ())
    assert (feed.title, feed.next_url) == ("Notes", "https://harbour.example/feed2.json")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"id": 7}, {"post_id": "7"}),
        ({"title": "Low\0 \x1b[1mtide\ud800"}, {"title": "Low [1mtide?"}),
        ({"author": {"name": "Ann"}}, {"author": "Ann"}),  # 1.0
        ({"author": "Ann"}, {"author": "Ann"}),
        ({"tags": "sea, sand"}, {"tags": ("sea", "sand")}),
        ({"title": None, "tags": None, "authors": None}, {"title": "", "tags": ()}),
        ({"content_html": "<p>\ud83d half</p>"}, {"content": "<p>? half</p>"}),
        (
            {"content_html": "", "content_text": "a\n\nb < c\nd"},
            {"content": "<p>a</p>\n<p>b &lt; c<br>\nd</p>"},
        ),
        ({"url": "", "external_url": "https://b.example/1"}, {"url": "https://b.example/1"}),
        (
            {"url": "", "id": "https://a.example/1", "external_url": "https://b.example/1"},
            {"url": "https://a.example/1"},
        ),
    ],
)
def test_item_may_differ_from_the_standard(item: dict[str, Any], expected: dict[str, Any]) -> None:
    (post,) = read({"id": "1", "url": "/1", "content_html": "<p>Text</p>", **item}).posts
    assert {key: getattr(post, key) for key in expected} == expected


def test_bad_item_is_listed_and_the_others_are_read() -> None:
    posts = read(
        {"id": "1", "content_text": "One"},
        {"id": "2", "title": ["x"]},
        "three",
        {"id": "4"},
        {"id": "5", "content_text": "Five"},
    ).posts
    listed = [str(post.problem) for post in posts if isinstance(post, UnreadablePost)]
    assert [isinstance(post, SourcePost) for post in posts] == [True, False, False, False, True]
    assert [words.partition(": ")[2] for words in listed] == [
        "item 2 can't be read: 'title' isn't text",
        "item 3 can't be read: it isn't an object",
        "it has neither text nor a link to its page",
    ]


def test_version_may_be_behind_the_items() -> None:
    data = {"items": [{"id": "1", "content_text": "x" * 9_000}], "feed_url": "https://a.example/f"}
    assert is_feed(json.dumps(data).encode())
    assert not is_feed(b'{"items": [{"id": 1}]}')
