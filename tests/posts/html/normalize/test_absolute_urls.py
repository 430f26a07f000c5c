"""Relative URLs of a page become absolute; all else stays."""

import pytest

from newsletter.posts.html.normalize.absolute_urls import make_urls_absolute

PAGE = "https://blog.example/2026/tide/"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="../fog/?a=1&b=2">', '<a href="https://blog.example/2026/fog/?a=1&amp;b=2">'),
        ('<a href="//cdn.example/a">', '<a href="https://cdn.example/a">'),
        ("<a href=fog class=x>", '<a href="https://blog.example/2026/tide/fog" class="x">'),
        ('<img src="/a.png" />', '<img src="https://blog.example/a.png" />'),
        (
            '<img srcset="/a 1x, /b,c.png 2x">',
            '<img srcset="https://blog.example/a 1x, https://blog.example/b,c.png 2x">',
        ),
        ('<img data-src="/a.png">', '<img data-src="https://blog.example/a.png">'),
        ('<video poster="/a.png">', '<video poster="https://blog.example/a.png">'),
        ('<object data="/a.svg">', '<object data="https://blog.example/a.svg">'),
        ('<noscript><img src="/a.png"></noscript>', None),
        (
            '<base href="/c/"><a href="d"><img src="e">',
            (
                '<base href="https://blog.example/c/"><a href="https://blog.example/c/d">'
                '<img src="https://blog.example/c/e">'
            ),
        ),
    ],
)
def test_relative_url_becomes_absolute(before: str, after: str | None) -> None:
    expected = after or before.replace('"/', '"https://blog.example/')
    assert make_urls_absolute(before, PAGE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "<a  HREF='https://a.example/'>", '<a href="#notes">', '<a href="mailto:a@b.example">',
        '<a href="">', '<img src="data:image/gif;base64,R0">', '<a href="{{ unsubscribe_url }}">',
        '<div data-src="/a">', '<a name="/a">', "<script>'<a href=\"/a\">'</script>",
        '<!-- <a href="/a"> -->', '<a href="http://[">', "<p>/a < b & c",
    ],
)  # fmt: skip
def test_all_else_stays(text: str) -> None:
    assert make_urls_absolute(text, PAGE) == text
