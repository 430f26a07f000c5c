"""Paragraphs of the classic editor's text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.posts.importing.sources.wordpress.paragraphs import add_paragraphs

_PIECES = (
    "fog", "two boats", "\n", "\n\n", " \n \n", "<p>", "</p>", "<br>", "<br />", "<b>", "</b>",
    "<div>", "</div>", "<ul>", "<li>", "</li>", "</ul>", "<blockquote>", "</blockquote>", "<pre>",
    "</pre>", "<h2>", "</h2>", "<img src='a.png'>", "<!-- a -->", "<!--", "-->", "<table>", "<td>",
    "</table>", "<script>", "</script>", "<", ">", "</", "<hr>", "<figure>", "</figure>",
)  # fmt: skip
_ADDED = re.compile(r"</?p>|<br>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One\ntwo\n\nThree", "<p>One<br>\ntwo</p>\n\n<p>Three</p>"),
        ("a\n \n\t\nb", "<p>a</p>\n \n\t\n<p>b</p>"),
        ("", ""),
        ("\n\n", "\n\n"),
        ("<h2>H</h2>\ntext", "<h2>H</h2>\n<p>text</p>"),
        ("<h2>\nH\n</h2>", "<h2>\nH\n</h2>"),
        ("<blockquote>a\n\nb</blockquote>",
         "<blockquote><p>a</p>\n\n<p>b</p></blockquote>"),
        ("<blockquote>a</blockquote>", "<blockquote><p>a</p></blockquote>"),
        ("<div>x</div>", None),
        ("<div>\n\nx\n\ny</div>", "<div>\n\n<p>x</p>\n\n<p>y</p></div>"),
        ("<p>a\n\nb\nc", "<p>a</p>\n\n<p>b<br>\nc</p>"),
        ("<p>a\nb</p>", "<p>a<br>\nb</p>"),
        ("<P CLASS='x'>a</P>\n\nb", "<P CLASS='x'>a</P>\n\n<p>b</p>"),
        ("a<br />\nb", "<p>a<br />\nb</p>"),
        ("<b>a\n\nb</b>", "<p><b>a</p>\n\n<p>b</b></p>"),
        # Code, lists and tables stay as they are.
        ("<pre>a\n\nb</pre>", None),
        ("<script>\n\na\n\n</script>", None),
        ("<ul>\n<li>a\n\nb</li>\n\n<li>c</li>\n</ul>", None),
        ("<table><tr>\n\n<td>a\nb</td></tr></table>", None),
        ("<dl><dt>a\n</dt><dd>b\n\nc</dd></dl>", None),
        ("<figure>\n<img src='a'>\n<figcaption>b</figcaption></figure>", None),
        ("<video src='a'>\n\n</video>", "<p><video src='a'>\n\n</video></p>"),
        ("<iframe src='a'></iframe>", None),
        ("<!-- a\n\nb -->\n\nc", "<!-- a\n\nb -->\n\n<p>c</p>"),
        ("<img src='a'>\n\n<hr>\n\nb", "<p><img src='a'></p>\n\n<hr>\n\n<p>b</p>"),
        ("a <pre>b\n\nc", "<p>a</p> <pre>b\n\nc"),  # never closed
        ("2 < 3 and\n4 > 3", "<p>2 < 3 and<br>\n4 > 3</p>"),
        ("</p>\n\na", "</p>\n\n<p>a</p>"),
    ],
)  # fmt: skip
def test_paragraphs(text: str, expected: str | None) -> None:
    assert add_paragraphs(text) == (text if expected is None else expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=25).map("".join))
def test_only_paragraphs_and_line_breaks_are_added(text: str) -> None:
    result = add_paragraphs(text)
    assert _ADDED.sub("", result) == _ADDED.sub("", text)
    assert result.count("\n") == text.count("\n")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["fog", "two\nboats", "a <b>b</b>", "<br>"]), min_size=1))
def test_paragraphs_are_made_once(paragraphs: list[str]) -> None:
    once = add_paragraphs("\n\n".join(paragraphs))
    assert add_paragraphs(once) == once
