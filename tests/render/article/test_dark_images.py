"""Images with a twin for dark mode."""

from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.article.dark_images import add_dark_images, build_dark_urls

URL, DARK_URL = "https://img.example/a.png?a=1&b=2", "https://img.example/a.dark.png?a=1&b=2"
IMG = '<img alt="a" src="https://img.example/a.png?a=1&amp;b=2">'
PICTURE = (
    '<picture><source media="(prefers-color-scheme: dark)" '
    f'srcset="https://img.example/a.dark.png?a=1&amp;b=2">{IMG}</picture>'
)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (f"<p>{IMG}{IMG}</p>", f"<p>{PICTURE}{PICTURE}</p>"),
        ('<img src="https://img.example/b.png">', '<img src="https://img.example/b.png">'),
        ('<img alt="no source">', '<img alt="no source">'),
        (f"<picture><source>{IMG}</picture> {IMG}", f"<picture><source>{IMG}</picture> {PICTURE}"),
        ('<img data-src="https://img.example/a.png?a=1&amp;b=2">',) * 2,
    ],
)
def test_image_with_a_twin_gets_a_source(document: str, expected: str) -> None:
    assert add_dark_images(document, {URL: DARK_URL}) == expected


def test_urls_of_twins_are_published_urls(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> None:
    images = {
        "a%20b.png": LocalImage("a b.png", 9, 9, 9, dark_name="a b.dark.png"),
        "a b.dark.png": LocalImage("a b.dark.png", 9, 9, 9),
    }
    config = make_config(image_url="https://img.example/{slug}/{file}")
    issue = make_issue("x", post={"images": images})
    base = f"https://img.example/{issue.slug}"
    assert build_dark_urls(issue, config) == {f"{base}/a%20b.png": f"{base}/a%20b.dark.png"}
