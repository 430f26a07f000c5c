from dataclasses import replace

import pytest

from newsletter.posts.importing.post_identity import (
    PostIdentity,
    hash_post_text,
    identify_post,
    normalize_post_url,
)
from newsletter.posts.importing.source_post import SourcePost

TEXT = "The boats had been tied up since Tuesday."


@pytest.mark.parametrize(
    ("url", "normalized"),
    [
        ("https://www.a.example/tide/", "a.example/tide"),
        ("http://a.example:80/tide?utm_source=feed#top", "a.example/tide"),
        ("HTTPS://A.example/tide/index.html", "a.example/tide"),
        ("https://a.example:4000/tide", "a.example:4000/tide"),
        ("https://a.example/Tide", "a.example/Tide"),
        ("https://a.example/?p=12&ref=mail", "a.example?p=12"),
        ("https://a.example/", ""),
        ("https://[a.example/tide", "https://[a.example/tide"),
        ("https://a.example:tide/", "https://a.example:tide/"),
        ("tag:a.example,2026:12", "tag:a.example,2026:12"),
        ("", ""),
    ],
)
def test_url_is_normalized(url: str, normalized: str) -> None:
    assert normalize_post_url(url) == normalized


def make_identity(post_id: str, url: str, text: str) -> PostIdentity:
    return identify_post(SourcePost("Low tide", f"<p>{TEXT} {text}</p>", post_id=post_id, url=url))


FIRST = make_identity("12", "https://a.example/tide", "One.")


@pytest.mark.parametrize(
    ("post_id", "url", "text", "is_same"),
    [
        ("12", "https://a.example/tide", "One.", True),
        ("99", "https://a.example/other", "<b>ONE</b>", True),  # a site with new ids and paths
        ("99", "http://www.a.example/tide/", "Edited.", True),
        ("12", "", "Edited.", True),
        ("12", "https://a.example/other", "Two.", False),  # an id that is used again
        ("99", "https://a.example/other", "Two.", False),
        ("", "", "Two.", False),
        ("99", "https://a.example/", "Two.", False),
    ],
)
def test_a_post_is_recognized(post_id: str, url: str, text: str, *, is_same: bool) -> None:
    other = make_identity(post_id, url, text)
    assert FIRST.is_same_post(other) is is_same
    assert other.is_same_post(FIRST) is is_same


@pytest.mark.parametrize(
    ("change", "is_another"),
    [
        ({"title": "LOW tide!", "post_id": "99"}, False),  # its text is the same
        ({"content": "Quite another text, of the boats."}, False),
        ({"content": "Quite another text, of the boats.", "title": "High tide"}, True),
        ({"content": "Quite another text, of the boats.", "post_id": "99"}, True),
        ({"content": "", "title": "High tide"}, False),
    ],
)
def test_a_source_may_have_two_posts_with_one_url(
    change: dict[str, str], *, is_another: bool
) -> None:
    post = SourcePost("Low tide", TEXT, post_id="12", url="https://a.example/tides")
    one, two = identify_post(post), identify_post(replace(post, **change))  # type: ignore[arg-type]
    assert one.is_another_post(two) is is_another
    assert two.is_another_post(one) is is_another


def test_short_texts_differ_by_their_images() -> None:
    one, two = (hash_post_text("Photo", f'<img alt="" src="{name}.jpg">') for name in "ab")
    assert one != two
    assert hash_post_text("Photo", "<!-- nothing -->") == ""


def test_a_comment_without_an_end_hides_the_rest() -> None:
    whole = hash_post_text("Tide", "<p>The tide comes in twice a day.</p>")
    assert hash_post_text("Tide", "<p>The tide comes in twice a day.</p><!-- more") == whole
