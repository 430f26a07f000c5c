"""Too much markup is refused with its line, by import and build; what people write is not."""

from collections.abc import Callable

import pytest

from newsletter.errors import PostError
from newsletter.posts import Issue
from newsletter.posts.importing.imported_post import parse_imported_post
from newsletter.posts.markup_limits import check_markup_limits

ReadPost = Callable[..., Issue]

CHARACTERS_IN_LINKS = "5,000,000 characters in links by reference"
SPANNED = "100,000 table cells, with those that others span"
MARKDOWN_MARKS = "50,000 brackets, stars and other marks of Markdown outside of code blocks"
HTML_MARKS = "60,000 marks of HTML (<, > and &)"
REMEDY = "Remove what is not text, or split it into several posts."


@pytest.mark.parametrize(
    ("name", "body", "excess", "line"),
    [
        ("post.md", "a\n" * 20_001, "20,000 lines", 20_000),
        ("post.md", "\n" * 20_001, "20,000 lines", 20_000),
        ("post.md", "[" * 50_001, MARKDOWN_MARKS, 0),
        ("post.md", "a\n\n" + "[" * 50_001, MARKDOWN_MARKS, 2),
        ("post.md", "a\n" + "[a](b)\n" * 12_501, MARKDOWN_MARKS, 12_501),
        ("post.md", "- a\n- " + "*a* _b_ " * 12_501, MARKDOWN_MARKS, 1),
        ("post.md", "a\n\n    " + "<" * 50_001, MARKDOWN_MARKS, 2),
        ("post.md", "<div>\n```\n" + "&" * 50_001 + "\n```\n</div>", MARKDOWN_MARKS, 2),
        ("post.md", "|a|b|\n|-|-|\n" + "|a|b|\n" * 7_000, "20,000 bars of table cells", 6_667),
        ("post.md", "c[^1]\n" * 2_501 + "\n[^1]: b\n", "2,500 references to footnotes", 2_500),
        (
            "post.md",
            "|a|b|\n|-|-|\n|c|\n\n" + "|" + "a|" * 999 + "\n|" + "-|" * 999 + "\n" + "x\n" * 12,
            "12,000 table cells",
            17,
        ),
        (
            "post.md",
            "a@b.example\n" * 5_001 + "www.b.example\n" * 5_000,
            "10,000 addresses of pages and mailboxes",
            10_000,
        ),
        ("post.md", "> - > 1. a\n" * 5_001, "20,000 marks of quotations and list items", 5_000),
        ("post.md", "[a]\n" * 5_000 + "\n[a]: /" + "b" * 1_000, CHARACTERS_IN_LINKS, 5_001),
        ("post.md", "[a]\n" * 5_000 + "\n[a]:\n/b\n'" + "c\n" * 500, CHARACTERS_IN_LINKS, 5_001),
        ("post.md", "<table><tr>\n<td colspan='1000' rowspan=100>\n<td ROWSPAN = 2>", SPANNED, 2),
        (
            "post.html",
            "<table><tr>\n<td title='a>b' colspan='1000' rowspan=100>\n<th rowspan=1>",
            SPANNED,
            2,
        ),
        ("post.md", "![a](b.png)\n" * 2_001, "2,000 images", 2_000),
        ("post.md", '<img src="b.png">\n' * 2_001, "2,000 images", 2_000),
        ("post.html", "<p>a</p>\n" * 15_001, HTML_MARKS, 15_000),
        ("post.html", "{{" * 60_001, HTML_MARKS, 0),
        ("post.html", '<img src="b.png">\n' * 2_001, "2,000 images", 2_000),
    ],
)
def test_too_much_markup_is_refused_with_its_line(
    read_post: ReadPost, name: str, body: str, excess: str, line: int
) -> None:
    text = f"---\ntitle: The ice\n---\n{body}"
    message = f"the post has more than {excess}"
    with pytest.raises(PostError) as importing:
        parse_imported_post(text, name, language="en")
    assert str(importing.value) == f"{name}:{4 + line}: {message}. {REMEDY}"
    with pytest.raises(PostError) as reading:
        read_post(text, name=name)
    assert str(reading.value).endswith(f"{name}:{4 + line}: {message}. {REMEDY}")


@pytest.mark.parametrize(
    "body",
    [
        "a\n" * 19_999,
        "[" * 50_000,
        "*" * 200_000,
        "- [The ice](https://tides.example/the_ice?a=1)\n" * 5_000,
        "```\n" + "[{(&<|" * 30_000 + "\n```\n",
        "> - ~~~\n>   " + "[{(&<|" * 30_000,
        "The ice let go (on a Tuesday): *all* at once. " * 8_000,
        "|a|b|c|\n" * 4_900,
        "![a](b.png) " * 2_000,
        "|a|b|\n|-|-|\n" + "|a|b|\n" * 5_999,
        "".join(f"[{number}]\n" for number in range(5_000))
        + "".join(f"\n[{number}]: https://tides.example/{number}" for number in range(5_000)),
        "- a\n" * 19_999,
        "<table>" + "<tr><td colspan=99>a</td></tr>\n" * 1_000,
        "a\n" + "-" * 200_000,
        "a\n" + "|" * 20_000,
    ],
)
def test_long_posts_and_long_code_are_accepted(body: str) -> None:
    check_markup_limits(body, "post.md", 1, is_html=False)


def test_a_long_page_is_accepted() -> None:
    page = '<p class="a">The <a href="b">ice</a> let go.</p>\n' * 7_000
    check_markup_limits(page + "[" * 200_000, "post.html", 1, is_html=True)
