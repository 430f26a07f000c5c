"""Hostile paragraphs end; links in long paragraphs stay links."""

import gc
import sys
from types import FrameType

import pytest

from newsletter.posts.html.markdown import render_markdown

LONG = "The ice let go: at noon, 10:30, the boats lay at the quay [sic] again. " * 60


@pytest.mark.parametrize(
    "piece", ["{: .a", "{:", "[a", "[[a", "![[", ":a", "http:", "a@", "mailto:_", "www._ ", "^["]
)
def test_a_hostile_paragraph_is_rendered_in_linear_time(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    assert render_markdown(text + " the last word").count("the last word") == 1


@pytest.mark.parametrize(
    ("link", "href"),
    [
        ("https://tides.example/a_(b)?c=1", "https://tides.example/a_(b)?c=1"),
        ("www.tides.example/a.", "http://www.tides.example/a"),
        ("mailto:ada@tides.example", "mailto:ada@tides.example"),
        ("ada.lund+news@tides.example,", "mailto:ada.lund+news@tides.example"),
        ("ada{: .a}@tides.example,", "mailto:ada@tides.example"),
        ("[a [b] c](https://tides.example/b)", "https://tides.example/b"),
        ("[![a](b.png)](https://tides.example/c)", "https://tides.example/c"),
        ("[a]{.b} <https://tides.example/d>", "https://tides.example/d"),
    ],
)
@pytest.mark.parametrize("before", ["", LONG, "[1, 2) " * 40, "`[` " * 40])
def test_links_stay_links(link: str, href: str, before: str) -> None:
    html = render_markdown(f"{before}{link} and more: {LONG}")
    assert f'href="{href}"' in html
    assert html.count("<a ") == 1


def test_an_endless_address_stays_text() -> None:
    text = "https://tides.example/" + "a" * 3_000
    assert render_markdown(f"{text} b") == f"<p>{text} b</p>\n"


@pytest.mark.parametrize(
    ("count", "shown"), [(498, "\u201ca\u201d"), (500, "&quot;a&quot;"), (10_000, "&quot;a&quot;")]
)
def test_quotes_of_a_paragraph_that_nobody_writes_stay_straight(count: int, shown: str) -> None:
    html = render_markdown('"a" ' * count + "it's\n\n\"b\" isn't")
    assert html.startswith(f"<p>{shown} {shown} ")
    assert html.endswith("<p>\u201cb\u201d isn\u2019t</p>\n")


# Each delimiter of Markdown and HTML, and what surrounds it in posts.
FRAGMENTS = r"""
    * _ ** ~~ == ` `` [ ] ![ ]( ](x) [^a] ^[ < > <a <a> </a> <p> <!-- --> <![CDATA[ <? ?> <! & &#
    &amp $ \( \[ { } {{ {% %} }} {:.a} {.a} : :: :// http:// www. @ a@b mailto: | |- + \ " '
    ( ) ! % / = <br> <td> </p> </ [x](y) ![x](y) [[ ]] [!NOTE] <img_src=x> *a a* _a_ [a [a] [*a
    """.replace("_src", " src").split()


def count_calls(text: str) -> int:
    """Return how many functions, of Python and of C, the rendering of Markdown calls."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    gc.disable()  # what it calls, here and in other tests' libraries, is not the parser's work
    sys.setprofile(count)
    try:
        render_markdown(text)
    finally:
        sys.setprofile(before)
        gc.enable()
    return calls


def test_work_grows_no_faster_than_a_repeated_fragment() -> None:
    render_markdown("a")
    faster = {}
    for fragment in FRAGMENTS:
        # Longer than the longest URL that is tried.
        small, large = (count_calls(fragment * count) for count in (600, 1_500))
        if large > 3.5 * small + 1_000:
            faster[fragment] = (small, large)
    assert faster == {}


def test_a_mark_tries_only_the_rules_that_can_begin_with_it() -> None:
    # All twenty would be more than forty calls for each mark.
    render_markdown("a")
    for mark in "]}$%>+-":
        assert count_calls("a" + mark * 1_000) < 10_000
