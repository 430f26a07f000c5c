# ruff: noqa: E501 - a table reads best with one case a line
"""Footnotes of other tools."""

from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.posts.issue import Issue
from newsletter.render.article.build import build_article
from newsletter.render.article.dom import parse_fragment, serialize_fragment
from newsletter.render.article.footnotes import serialize_trailing_footnotes
from newsletter.render.text.article import render_article_text

SUBSTACK = (
    '<p>Low water<a class="footnote-anchor" id="footnote-anchor-1" href="#footnote-1">1</a> came.'
    '</p><div class="footnote"><a id="footnote-1" href="#footnote-anchor-1" class="footnote-number">'
    '1</a><div class="footnote-content"><p>At <b>noon</b>.</p></div></div>'
)


def test_footnotes_of_substack_become_ours(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> None:
    html = build_article(make_issue(SUBSTACK), make_config()).html
    assert 'Low water<sup class="footnote-ref"><a class="footnote-link footnote-anchor"' in html
    assert '<li id="footnote-1" value="1">' in html
    assert 'href="#footnote-anchor-1" class="footnote-backref"' in html
    text = render_article_text(html)
    assert "Low water[a] came." in text
    assert "[a] At *noon*." in text


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ('<p>Tide<a href="#n">2</a></p><p id="n">x</p>', 'Tide<sup class="footnote-ref">'),
        ('<p>Tide <a href="#n">2</a></p><p id="n">x</p>', 'Tide <a href="#n">2</a>'),
        ('<pre>Tide..<a href="#n">2</a></pre><p id="n">x</p>', 'Tide..<a href="#n">2</a>'),
        (
            '<p><code>tide[<a href="#n">2</a>]</code></p><p id="n">x</p>',
            'tide[<a href="#n">2</a>]',
        ),
        (
            '<p>Tide<sup><a href="#n">2</a></sup></p><p id="n">x</p>',
            '<sup><a href="#n">2</a></sup>',
        ),
        ('<p>Tide<a href="#n">two</a></p><p id="n">x</p>', 'Tide<a href="#n">two</a>'),
        ('<p>No<a href="https://a.example/">2</a></p>', 'No<a href="https://a.example/">2</a>'),
    ],
)
def test_number_glued_to_a_word_is_raised(
    body: str, part: str, make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> None:
    assert part in build_article(make_issue(body), make_config()).html


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", ""),
        ("<p>a</p>", ""),
        ('<p>a</p><div class="footnotes">n</div>', '<div class="footnotes">n</div>'),
        (
            '<p>a</p><hr class="footnotes-sep"><div class="footnotes">n</div>\n',
            '<hr class="footnotes-sep"><div class="footnotes">n</div>',
        ),
        ('<hr><div class="footnotes">n</div>', '<div class="footnotes">n</div>'),
        ('<div class="footnotes">n</div><p>a</p>', ""),
        ('<div class="footnotes">n</div> words', ""),
    ],
)
def test_footnotes_at_the_end_can_be_placed_elsewhere(html: str, expected: str) -> None:
    root = parse_fragment(html)
    notes = serialize_trailing_footnotes(root)
    assert notes == expected
    assert serialize_fragment(root).endswith(notes)
