"""The article built from a post's body: headings, details, footnotes, tables."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.config.models import Config
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.article.build import Article, build_article

MakeArticle = Callable[..., Article]
TEMPLATES = Path(__file__).parents[3] / "templates"
_HIDING_RULE = re.compile(r"(?m)^ *(\.[^{}\n]*)\{[^{}]*(?:display: none|position: absolute)")


@pytest.fixture
def make_article(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> MakeArticle:
    def make(body: str, **settings: object) -> Article:
        return build_article(make_issue(body), make_config(**settings))

    return make


def test_article_has_links_images_word_count_and_reading_time(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> None:
    body = (
        f"<p>{'tide ' * 439}tide</p><img src='a.png' alt='A'><p><a href='/x'></a></p>"
        "<p><a href='/log'>log</a> <a href='/log'>again</a> <a href='mailto:a@b.example'>me</a></p>"
    )
    issue = make_issue(body, post={"images": {"a.png": LocalImage("a.png", 40, 20, 9)}})

    article = build_article(issue, make_config(image_url="https://img.example/{slug}/{file}"))

    assert article.links == ("https://harbournotes.example/log", "mailto:a@b.example")
    assert article.images == ("https://img.example/the-tide/a.png",)
    assert (article.word_count, article.reading_minutes) == (443, 2)
    assert article.notes == ()


def test_article_is_deterministic(make_article: MakeArticle) -> None:
    body = "<h1>A</h1><p><b>\u6f6e</b> &amp; \u00e9 <a href='/\u6f6e?a=1&amp;b'>x</a></p>"

    assert make_article(body) == make_article(body)
    assert "\u6f6e</b> &amp; \u00e9" in make_article(body).html


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ("123", "234"),
        ("33", "22"),
        ("24", "23"),
        ("1262", "2343"),
        ("32", "22"),
        ("123456", "234566"),
    ],
)
def test_headings_start_at_h2_without_gaps(
    levels: str, expected: str, make_article: MakeArticle
) -> None:
    html = make_article("".join(f"<h{n}>Tide</h{n}>" for n in levels)).html

    assert "".join(re.findall(r"<h(\d) id", html)) == expected


def test_code_keeps_line_breaks_and_colors(make_article: MakeArticle) -> None:
    code = '<pre><code>\n\n  <span style="color:#123456">a</span>\n\n\tb\n</code></pre>'

    assert make_article(code).html == code


def test_leading_line_break_of_code_is_kept(make_article: MakeArticle) -> None:
    # The first line break after <pre> is not content (HTML Standard); the second is.
    assert make_article(sanitize_html("<pre>\n\na</pre>")).html == "<pre>\n\na</pre>"


def test_tables_scroll_and_headings_have_a_scope(make_article: MakeArticle) -> None:
    html = make_article(
        '<table width="900"><thead><tr><th>HW</th></tr></thead>'
        '<tbody><tr><th>Mon</th><td style="width:400px;text-align:right" nowrap>1</td></tr></tbody>'
        "</table>"
    ).html

    assert html.startswith('<div class="table-scroll" style="overflow-x:auto"><table><thead>')
    assert '<th scope="col">HW</th>' in html
    assert '<th scope="row">Mon</th>' in html
    assert '<td style="text-align:right">1</td>' in html
    assert "presentation" not in html


def test_fixed_widths_are_removed(make_article: MakeArticle) -> None:
    html = make_article(
        '<div style="min-width:800px;color:red;white-space:nowrap">a</div>'
        '<p style="width: 900px">b</p><p style="width:50%">c</p>'
    ).html

    assert html == '<div style="color:red;">a</div><p>b</p><p style="width:50%">c</p>'


def test_no_class_of_a_shipped_design_hides_a_part_of_the_article(
    make_article: MakeArticle,
) -> None:
    styles = [path.read_text() for path in TEMPLATES.rglob("*") if path.suffix in {".css", ".mjml"}]
    rules = _HIDING_RULE.findall("\n".join(styles))
    names = {name for selectors in rules for name in re.findall(r"\.([\w-]+)", selectors)}
    assert {"top", "skip", "search"} <= names
    for name in names:
        assert make_article(f'<p class="{name} b">A</p>').html == '<p class="b">A</p>', name
    assert make_article('<p class="top">A</p>').html == "<p>A</p>"


def test_footnotes_link_down_and_back(make_article: MakeArticle) -> None:
    html = make_article(
        '<p>Sea.<sup class="footnote-ref"><a href="#fn1" id="ref1">[1]</a></sup></p>'
        '<section class="footnotes"><ol><li id="fn1"><p>Deep. <a href="#ref1">back</a></p></li>'
        "</ol></section>"
    ).html

    assert '<a href="#fn1" id="ref1" class="footnote-link">[1]</a>' in html
    assert '<hr class="footnotes-sep"><div class="footnotes">' in html
    assert '<a href="#ref1" class="footnote-backref">back</a>' in html


def test_duplicate_ids_are_removed(make_article: MakeArticle) -> None:
    assert make_article('<p id="a">x</p><p id="a">y</p>').html == '<p id="a">x</p><p>y</p>'


def test_details_are_shown_open(make_article: MakeArticle) -> None:
    html = make_article(
        "<details open><summary>Why <i>neap</i>?</summary>Nobody knows.</details>"
    ).html

    assert html == (
        '<div class="details"><p class="summary"><strong>Why <i>neap</i>?</strong></p>'
        "Nobody knows.</div>"
    )


def test_heading_in_a_summary_stays_a_heading(make_article: MakeArticle) -> None:
    html = make_article("<details><summary><h3>Why</h3></summary>x</details>").html

    assert '<div class="summary"><h2 id="why">Why</h2></div>' in html


def test_task_list_items_are_marked(make_article: MakeArticle) -> None:
    html = make_article("<ul><li>\u2611 <b>table</b></li><li>\u2610 thermos</li></ul>").html

    assert html.count('<li class="task-list-item">') == 2
    assert '<ul class="contains-task-list">' in html


def test_empty_elements_are_removed(make_article: MakeArticle) -> None:
    html = make_article("<p>a</p><p>&nbsp;</p><p><br></p><h2> </h2><ul></ul><p>b</p>").html

    assert html == "<p>a</p><p>b</p>"


def test_sectioning_elements_become_div(make_article: MakeArticle) -> None:
    html = make_article("<article><section><aside class='x'>a</aside></section></article>").html

    assert html == '<div><div><div class="x">a</div></div></div>'


def test_omitted_drawing_is_noted(make_article: MakeArticle) -> None:
    article = make_article(sanitize_html('<p><svg aria-label="A buoy"><circle/></svg></p>'))

    assert "A buoy" in article.html
    assert [note for note in article.notes if "SVG" in note and "A buoy" in note]


def test_text_after_void_elements_is_kept(make_article: MakeArticle) -> None:
    html = make_article(
        '<p>har<wbr>bour</p><picture><source type="a &gt; b"><img src="/a.png" alt="A"></picture>'
    ).html

    assert "<p>har\u200bbour</p>" in html
    assert 'alt="A"' in html
