"""The body of a post becomes HTML for mail: headings, boxes, notes, tables."""

import re
from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.article.build import Article, build_article

ArticleOf = Callable[..., Article]


@pytest.fixture
def article_of(issue_of: Callable[..., Issue], config_of: Callable[..., Config]) -> ArticleOf:
    def make(body: str, **settings: object) -> Article:
        return build_article(issue_of(body), config_of(**settings))

    return make


def test_an_article_tells_its_links_images_words_and_minutes(
    issue_of: Callable[..., Issue], config_of: Callable[..., Config]
) -> None:
    body = (
        f"<p>{'tide ' * 439}tide</p><img src='a.png' alt='A'><p><a href='/x'></a></p>"
        "<p><a href='/log'>log</a> <a href='/log'>again</a> <a href='mailto:a@b.example'>me</a></p>"
    )
    issue = issue_of(body, post={"images": {"a.png": LocalImage("a.png", 40, 20, 9)}})

    article = build_article(issue, config_of(image_url="https://img.example/{slug}/{file}"))

    assert article.links == ("https://harbournotes.example/log", "mailto:a@b.example")
    assert article.images == ("https://img.example/the-tide/a.png",)
    assert (article.word_count, article.reading_minutes) == (443, 2)
    assert article.notes == ()


def test_the_same_issue_gives_the_same_article(article_of: ArticleOf) -> None:
    body = "<h1>A</h1><p><b>\u6f6e</b> &amp; \u00e9 <a href='/\u6f6e?a=1&amp;b'>x</a></p>"

    assert article_of(body) == article_of(body)
    assert "\u6f6e</b> &amp; \u00e9" in article_of(body).html


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
def test_headings_start_at_h2_and_skip_no_level(
    levels: str, expected: str, article_of: ArticleOf
) -> None:
    html = article_of("".join(f"<h{n}>Tide</h{n}>" for n in levels)).html

    assert "".join(re.findall(r"<h(\d)>", html)) == expected


def test_code_keeps_every_line_break_and_its_colours(article_of: ArticleOf) -> None:
    code = '<pre><code>\n\n  <span style="color:#123456">a</span>\n\n\tb\n</code></pre>'

    assert article_of(code).html == code


def test_a_line_break_that_opens_code_is_not_lost(article_of: ArticleOf) -> None:
    # The first line break after <pre> is not content (HTML Standard); the second is.
    assert article_of(sanitize_html("<pre>\n\na</pre>")).html == "<pre>\n\na</pre>"


def test_tables_scroll_and_say_what_their_headings_head(article_of: ArticleOf) -> None:
    html = article_of(
        '<table width="900"><thead><tr><th>HW</th></tr></thead>'
        '<tbody><tr><th>Mon</th><td style="width:400px;text-align:right" nowrap>1</td></tr></tbody>'
        "</table>"
    ).html

    assert html.startswith('<div class="table-scroll" style="overflow-x:auto"><table><thead>')
    assert '<th scope="col">HW</th>' in html
    assert '<th scope="row">Mon</th>' in html
    assert '<td style="text-align:right">1</td>' in html
    assert "presentation" not in html


def test_nothing_may_be_wider_than_a_phone(article_of: ArticleOf) -> None:
    html = article_of(
        '<div style="min-width:800px;color:red;white-space:nowrap">a</div>'
        '<p style="width: 900px">b</p><p style="width:50%">c</p>'
    ).html

    assert html == '<div style="color:red;">a</div><p>b</p><p style="width:50%">c</p>'


def test_footnotes_link_down_and_back(article_of: ArticleOf) -> None:
    html = article_of(
        '<p>Sea.<sup class="footnote-ref"><a href="#fn1" id="ref1">[1]</a></sup></p>'
        '<section class="footnotes"><ol><li id="fn1"><p>Deep. <a href="#ref1">back</a></p></li>'
        "</ol></section>"
    ).html

    assert '<a href="#fn1" id="ref1" class="footnote-link">[1]</a>' in html
    assert '<hr class="footnotes-sep"><div class="footnotes">' in html
    assert '<a href="#ref1" class="footnote-backref">back</a>' in html


def test_an_id_stands_once(article_of: ArticleOf) -> None:
    assert article_of('<p id="a">x</p><p id="a">y</p>').html == '<p id="a">x</p><p>y</p>'


def test_details_are_open(article_of: ArticleOf) -> None:
    html = article_of(
        "<details open><summary>Why <i>neap</i>?</summary>Nobody knows.</details>"
    ).html

    assert html == (
        '<div class="details"><p class="summary"><strong>Why <i>neap</i>?</strong></p>'
        "Nobody knows.</div>"
    )


def test_a_summary_that_is_a_heading_stays_one(article_of: ArticleOf) -> None:
    html = article_of("<details><summary><h3>Why</h3></summary>x</details>").html

    assert '<div class="summary"><h2>Why</h2></div>' in html


def test_tasks_are_marked_whatever_wrote_them(article_of: ArticleOf) -> None:
    html = article_of("<ul><li>\u2611 <b>table</b></li><li>\u2610 thermos</li></ul>").html

    assert html.count('<li class="task-list-item">') == 2
    assert '<ul class="contains-task-list">' in html


def test_what_is_empty_goes(article_of: ArticleOf) -> None:
    html = article_of("<p>a</p><p>&nbsp;</p><p><br></p><h2> </h2><ul></ul><p>b</p>").html

    assert html == "<p>a</p><p>b</p>"


def test_elements_that_outlook_does_not_know_become_div(article_of: ArticleOf) -> None:
    html = article_of("<article><section><aside class='x'>a</aside></section></article>").html

    assert html == '<div><div><div class="x">a</div></div></div>'


def test_a_drawing_that_was_left_out_is_told(article_of: ArticleOf) -> None:
    article = article_of(sanitize_html('<p><svg aria-label="A buoy"><circle/></svg></p>'))

    assert "A buoy" in article.html
    assert [note for note in article.notes if "SVG" in note and "A buoy" in note]


def test_text_after_void_elements_is_not_swallowed(article_of: ArticleOf) -> None:
    html = article_of(
        '<p>har<wbr>bour</p><picture><source type="a &gt; b"><img src="/a.png" alt="A"></picture>'
    ).html

    assert "<p>har\u200bbour</p>" in html
    assert 'alt="A"' in html
