"""Pull quotes, sponsors, invitations to reply and buttons in the text."""

from collections.abc import Callable
from typing import Any

import pytest

from newsletter.config.models import Config, SenderSettings
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.render.article.blocks import build_reply_url, mark_blocks
from newsletter.render.article.dom import parse_fragment, serialize_fragment
from newsletter.render.text.article import render_article_text
from newsletter.render.words import load_shipped_words

Mark = Callable[..., str]
LINK = '<a class="button" href="https://a.example/b">Go on</a>'
BUTTON = '<a class="inline-button" href="https://a.example/b">Go on</a>'
ROW = (
    '<table class="button-row" role="presentation" border="0" cellpadding="0" cellspacing="0">'
    f'<tr><td class="button-cell">{BUTTON}</td></tr></table>'
)
MAIL_TO = "mailto:editor@harbournotes.example"


@pytest.fixture
def mark(make_issue: Callable[..., Issue], make_config: Callable[..., Config]) -> Mark:
    """Return a function from an article's HTML, before its blocks are finished, to after."""

    def run(html: str, lang: str = "en", **changes: Any) -> str:
        sender = SenderSettings(
            name="H", address="editor@harbournotes.example", reply_to=changes.pop("sender_to", None)
        )
        root = parse_fragment(sanitize_html(html))
        reply_url = build_reply_url(make_issue(**changes), make_config(sender=sender))
        mark_blocks(root, load_shipped_words(lang, "article"), reply_url)
        return serialize_fragment(root)

    return run


@pytest.mark.parametrize(
    ("html", "expected", "text"),
    [
        (
            '<div class="pullquote"><p>Low water.</p></div>',  # as Substack writes it
            '<blockquote class="pullquote"><p>Low water.</p></blockquote>',
            "> Low water.",
        ),
        (
            '<blockquote class="pullquote"><p>Low water.</p><p>— Tormod</p></blockquote>',
            (
                '<blockquote class="pullquote"><p>Low water.</p>'
                '<p class="pullquote-source">— Tormod</p></blockquote>'
            ),
            "> Low water.\n>\n> — Tormod",
        ),
        (
            '<blockquote class="pullquote"><p>— Low water.</p></blockquote>',
            '<blockquote class="pullquote"><p>— Low water.</p></blockquote>',
            "> — Low water.",
        ),
        (f"<p>{LINK}</p>", ROW, "Go on: https://a.example/b"),
        (
            f"<p>Read {LINK} or not.</p>",
            f"<p>Read {BUTTON} or not.</p>",
            "Read Go on: https://a.example/b or not.",
        ),
        (
            f"<p>{LINK} {LINK}</p>",
            f"<p>{BUTTON} {BUTTON}</p>",
            "Go on: https://a.example/b Go on: https://a.example/b",
        ),
        (
            f"<ul><li>{LINK}</li></ul>",
            f"<ul><li>{BUTTON}</li></ul>",
            "- Go on: https://a.example/b",
        ),
        (
            f"<p>{LINK.replace('Go on', '<b>Go</b> on')}</p>",
            ROW.replace("Go on", "<b>Go</b> on"),
            "*Go* on: https://a.example/b",
        ),
        (
            f'<p id="a" dir="rtl" lang="he">{LINK}</p>',
            ROW.replace("><tr>", ' id="a" lang="he" dir="rtl"><tr>'),
            "Go on: https://a.example/b",
        ),
        (
            f'<p style="text-align:center">{LINK}</p>',
            f'<p style="text-align:center">{BUTTON}</p>',
            "Go on: https://a.example/b",
        ),
        (
            '<p><a class="button" href="/b"><img src="/a.png" alt="Go"></a></p>',
            '<p><a class="button" href="/b"><img src="/a.png" alt="Go"></a></p>',
            "[Go] [1]\n\n[1] /b",
        ),
        # Ghost's and WordPress's.
        (
            '<div><a class="kg-btn" href="/b">Go</a></div>',
            '<div><a class="inline-button kg-btn" href="/b">Go</a></div>',
            "Go: /b",
        ),
        (
            '<p><a class="wp-block-button__link" href="/b"><b>Go</b></a></p>',
            ROW.replace(
                BUTTON, '<a class="inline-button wp-block-button__link" href="/b"><b>Go</b></a>'
            ),
            "*Go*: /b",
        ),
        ('<div class="pullquote"> </div><p>A</p>', "<p>A</p>", "A"),
        ('<p><a class="button">Go</a></p>', '<p><a class="button">Go</a></p>', "Go"),
        ('<p class="button">Go</p>', '<p class="button">Go</p>', "Go"),
    ],
)
def test_pull_quotes_and_buttons(mark: Mark, html: str, expected: str, text: str) -> None:
    assert mark(html) == expected
    assert render_article_text(mark(html)).strip() == text


@pytest.mark.parametrize(
    ("inner", "lang", "label", "text"),
    [
        ("<p>Rope.</p>", "en", "Sponsor", "| Sponsor\n|\n| Rope."),
        ("Rope.", "de-AT", "Anzeige", "| Anzeige\n|\n| Rope."),
        ("", "tlh", "Sponsor", "| Sponsor"),
        ('<p class="sponsor-name"> </p>', "no", "Annonse", "| Annonse"),
        (
            '<p class="sponsor-name"><b>Skipper</b></p>',
            "zh-TW",
            '贊助商 · <span class="sponsor-name"><b>Skipper</b></span>',
            "| 贊助商 · *Skipper*",
        ),
        # A name that isn't at the top is text.
        (
            'Rope.<p class="sponsor-name">Skipper</p>Twine.',
            "en",
            "Sponsor",
            "| Sponsor\n|\n| Rope.\n|\n| Skipper\n|\n| Twine.",
        ),
        (
            '<div class="sponsor"><p class="sponsor-name">Skipper</p></div>',
            "en",
            "Sponsor",
            "| Sponsor\n|\n| | Skipper",
        ),
        # HTML that has a label of its own gets the true one as well.
        (
            '<p class="sponsor-label">A letter of ours</p>',
            "en",
            "Sponsor",
            "| Sponsor\n|\n| A letter of ours",
        ),
        ('<div class="sponsor"><p>Rope.</p></div>', "en", "Sponsor", "| Sponsor\n|\n| | Rope."),
    ],
)
def test_sponsor_is_labelled_once_in_both_parts(
    mark: Mark, inner: str, lang: str, label: str, text: str
) -> None:
    html = mark(f'<div class="sponsor">{inner}</div>', lang)
    assert html.startswith(f'<div class="sponsor"><p class="sponsor-label">{label}</p>')
    assert render_article_text(html).strip() == text


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<div class="pullquote sponsor">Rope.</div>', '<div class="sponsor">{}Rope.</div>'),
        ('<div class="sponsor reply-invitation">A</div>', '<div class="sponsor">{}A</div>'),
        ('<blockquote class="sponsor">A</blockquote>', '<div class="sponsor">{}A</div>'),
        (
            '<ul class="sponsor b"><li><div class="sponsor">A</div></li></ul>',
            '<ul class="b"><li><div class="sponsor">{}A</div></li></ul>',
        ),
        ('<p class="sponsor">A</p>', "<p>A</p>"),
    ],
)
def test_no_box_of_a_sponsor_is_without_its_label(mark: Mark, html: str, expected: str) -> None:
    assert mark(html) == expected.format('<p class="sponsor-label">Sponsor</p>')


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, f"{MAIL_TO}?subject=Re%3A%20The%20tide"),
        ({"subject": "Knots & more?"}, f"{MAIL_TO}?subject=Re%3A%20Knots%20%26%20more%3F"),
        ({"subject": "Dear -nl1t-"}, f"{MAIL_TO}?subject=Re%3A%20The%20tide"),
        ({"sender_to": "desk@b.example"}, "mailto:desk@b.example?subject=Re%3A%20The%20tide"),
        (
            {"sender_to": "desk@b.example", "reply_to": "ada+knots@c.example"},
            "mailto:ada%2Bknots@c.example?subject=Re%3A%20The%20tide",
        ),
    ],
)
def test_reply_goes_to_the_address_of_the_issue(
    mark: Mark, changes: dict[str, Any], url: str
) -> None:
    html = mark('<div class="reply-invitation"><p>Which knot?</p></div>', **changes)
    assert '<p>Which knot?</p><table class="button-row"' in html
    assert f'<a href="{url}" class="inline-button">Reply</a>' in html
    address = url.removeprefix("mailto:").partition("?")[0].replace("%2B", "+")
    assert render_article_text(html).strip() == f"Which knot?\n\nReply: {address}"


def test_empty_invitation_asks_in_the_language_of_the_issue(mark: Mark) -> None:
    html = mark('<div class="reply-invitation"> </div>', "nn")
    assert "<p>Har du spørsmål eller tanker? Svar på denne e-posten.</p>" in html
    assert ">Svar</a>" in html
