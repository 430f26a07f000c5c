"""The text part: every kind of block and phrasing element."""

from collections.abc import Callable

import pytest

from newsletter.config.models import Config, UtmSettings
from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.render.article.build import build_article
from newsletter.render.text.article import render_article_text
from newsletter.render.text.inline import number_to_letters
from newsletter.render.text.wrap import get_display_width


def to_text(html: str, width: int = 72) -> str:
    return render_article_text(html, width=width)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("<h1>The tide</h1>", "The tide\n========"),
        ("<h2>\u5927\u6f6e</h2>", "\u5927\u6f6e\n----"),
        (
            "<h3>Springs <em>and</em> <code>neaps</code></h3>",
            "Springs and neaps\n~~~~~~~~~~~~~~~~~",
        ),
        ("<h4>Springs <b>and</b></h4>", "*Springs and*"),
        ("<p>Go <mark>now</mark></p>", "Go *now*"),
        ("<p>a <strong> b</strong>c <em>d</em> <s>e</s></p>", "a *b*c _d_ ~~e~~"),
        ("<p><b><i>x</i></b> <code>y</code> <kbd>Z</kbd></p>", "*_x_* `y` Z"),
        ("<p>m<sup>2</sup>, 1<sup>st</sup>, H<sub>2</sub>O</p>", "m^2, 1st, H2O"),
        (
            "<p><q>no</q> <ruby>\u6f6e<rp>(</rp><rt>shio</rt><rp>)</rp></ruby></p>",
            "“no” \u6f6e(shio)",
        ),
        ("<p>a<br>  b\n c</p>", "a\nb c"),
        ("<p>a</p>b<p>c</p>", "a\n\nb\n\nc"),
        ("<p>har\u00adbour\u200b \u2060x\ufeff a\u00a0b</p>", "harbour x a b"),
        ("<hr>", " " * 33 + "* * *"),
        ("<pre><code>a\n  <span>b</span>  \n\n\tc\n</code></pre>", "    a\n      b\n\n    \tc"),
        ("<pre>\n\na<br>b</pre>", "    a\n    b"),
        ("<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"),
        ("<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"),
        ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c"),
        ("<ul><li><p>a</p></li><li><p>b</p><p>c</p></li></ul>", "- a\n\n- b\n\n  c"),
        ('<ol start="9"><li>a</li><li>b</li></ol>', " 9. a\n10. b"),
        ('<ol><li>a</li><li value="5">b</li><li>c</li></ol>', "1. a\n5. b\n6. c"),
        ("<ol reversed><li>a</li><li>b</li></ol>", "2. a\n1. b"),
        ("<ul>x<li>a</li><ul><li>b</li></ul></ul>", "x\n- a\n  - b"),
        ("<ol><li></li></ol>", "1."),
        (
            "<dl><dt>HW</dt><dd>high</dd><dd>top</dd><dt>LW</dt><dd>low</dd></dl>",
            ("HW\n    high\n    top\n\nLW\n    low"),
        ),
        ("<dl><div><dt>HW</dt><dd>high</dd></div></dl>", "HW\n    high"),
        ('<p><img src="a.png" alt="A  buoy"> <img src="b.png" alt=""></p>', "[A buoy]"),
        ("<em><p>a</p></em>", "a"),
    ],
)
def test_elements_become_text(html: str, text: str) -> None:
    assert to_text(html) == text + "\n"


def test_paragraphs_are_wrapped() -> None:
    assert to_text("<p>one two three four five six</p>", 20) == "one two three four\nfive six\n"


def test_links_are_numbered_without_duplicates_and_listed() -> None:
    assert (
        to_text(
            '<p><a href="https://a.example/">A</a>, <a href="https://b.example/">B</a>, '
            '<a href="https://a.example/">A again</a>.</p>'
        )
        == "A [1], B [2], A again [1].\n\n[1] https://a.example/\n[2] https://b.example/\n"
    )


def test_links_may_be_inline() -> None:
    text = render_article_text('<p><a href="https://a.example/">A</a>.</p>', links="inline")

    assert text == "A <https://a.example/>.\n"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="https://a.example/b">https://a.example/b</a>', "https://a.example/b"),
        (
            '<a href="https://a.example/b?utm_source=x">https://a.example/b</a>',
            "https://a.example/b?utm_source=x",
        ),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="#top">up</a>', "up"),
        ('<a href="https://a.example/"><img src="x.png" alt=""></a>', "<https://a.example/>"),
    ],
)
def test_links_without_a_number(html: str, text: str) -> None:
    assert to_text(f"<p>{html}</p>") == text + "\n"


def test_link_number_stays_with_its_text() -> None:
    text = to_text('<p>aaaa bbbb cccc dddd <a href="https://a.example/">eee</a></p>', 24)

    assert text.startswith("aaaa bbbb cccc dddd\neee [1]\n")


def test_link_around_blocks_has_its_number_at_the_end() -> None:
    text = to_text('<a href="https://a.example/"><h3>Title</h3><p>Words.</p></a>')

    assert text == "Title\n~~~~~\n\nWords. [1]\n\n[1] https://a.example/\n"


def test_long_url_is_not_broken() -> None:
    url = "https://a.example/" + "long-" * 30

    assert f"\n{url}\n" in to_text(f'<p>see <a href="{url}">{url}</a> now</p>', 40)


def test_tokens_become_text_tokens_except_in_urls() -> None:
    text = to_text('<p>Hi -nl0h-, <a href="https://a.example/-nl1u-">-nlunsubscribeh-</a></p>')

    assert text == "Hi -nl0t-, -nlunsubscribet- [1]\n\n[1] https://a.example/-nl1u-\n"


def test_deep_nesting_keeps_a_minimum_width() -> None:
    html = (
        "<blockquote>" * 45
        + "<ul><li>" * 25
        + "word " * 30
        + "</li></ul>" * 25
        + "</blockquote>" * 45
    )

    lines = to_text(html).splitlines()

    assert all(line.count("word") == 4 for line in lines[-7:-1])


def test_footnote_labels_continue_after_z() -> None:
    assert [number_to_letters(n) for n in (1, 26, 27, 52, 53, 703)] == [
        "a",
        "z",
        "aa",
        "az",
        "ba",
        "aaa",
    ]


# --- from Markdown to text, through the article ------------------------------------------------


@pytest.fixture
def markdown_to_text(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> Callable[[str], str]:
    """Return a function from a Markdown post to its text part."""
    config = make_config(utm=UtmSettings(source="letter"))
    return lambda source: render_article_text(
        build_article(make_issue(sanitize_html(render_markdown(source))), config).html
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("> [!NOTE]\n> Add *it*.\n>\n> Twice.", "| NOTE: Add _it_.\n|\n| Twice."),
        (
            "::: warning Mind the ropes\nThey bite.\n:::",
            "| WARNING: Mind the ropes\n|\n| They bite.",
        ),
        ("> [!TIP]\n> - a", "| TIP:\n|\n| - a"),
        ("- [x] table\n- [ ] thermos", "- [x] table\n- [ ] thermos"),
        ('![A buoy](https://a.example/b.jpg "Red, at night")', "[A buoy]\nRed, at night"),
        (
            "![A](https://a.example/a.png) ![B](https://a.example/b.png)",
            "[A]\n[B]",
        ),
        (
            '<iframe src="https://youtu.be/x" title="A tide"></iframe>',
            "[Video] A tide: https://www.youtube.com/watch?v=x",
        ),
        (
            '<blockquote class="twitter-tweet">High!<a href="https://x.com/a">May</a></blockquote>',
            "> High!May [1]\n\nx.com: https://x.com/a\n\n[1] https://x.com/a",
        ),
        ("<details><summary>Why?</summary>Nobody knows.</details>", "*Why?*\n\nNobody knows."),
        ("[log](/log)", "log [1]\n\n[1] https://harbournotes.example/log?utm_source=letter"),
    ],
)
def test_markdown_becomes_text(
    source: str, text: str, markdown_to_text: Callable[[str], str]
) -> None:
    assert markdown_to_text(source) == text + "\n"


def test_footnotes_have_letters_below_a_rule(markdown_to_text: Callable[[str], str]) -> None:
    text = markdown_to_text(
        "Sea[^1] and [land](/l)[^x].\n\n[^1]: Deep.\n\n    Wide.\n[^x]: [Dry](/d).\n"
    )

    rule = " " * 33 + "* * *"
    assert text == (
        f"Sea[a] and land [1][b].\n\n{rule}\n\n[a] Deep.\n\n    Wide.\n[b] Dry [2].\n\n"
        "[1] https://harbournotes.example/l?utm_source=letter\n"
        "[2] https://harbournotes.example/d?utm_source=letter\n"
    )


def test_other_element_with_the_class_embed_keeps_its_text() -> None:
    assert to_text('<div class="embed"><p class="embed-title">a</p>b</div>') == "a\n\nb\n"


def test_width_is_measured_in_columns() -> None:
    text = to_text(f"<p>{'潮の満ち引きは、' * 20}</p>", 30)

    assert all(26 <= get_display_width(line) <= 30 for line in text.splitlines()[:-1])
