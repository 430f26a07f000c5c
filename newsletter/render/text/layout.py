"""The text part: what stands around the article's own text, in the words of the template."""

import textwrap
from collections.abc import Mapping
from typing import Any

from newsletter.posts.merge_tags.tags import PREFERENCES, UNSUBSCRIBE
from newsletter.render.personalization import retarget
from newsletter.render.template.context import CardView, IssueView, NewsletterView
from newsletter.render.text.wrap import columns, wrap

WIDTH = 72
RULE = "-" * WIDTH

WORDS = {
    "number": "No.",
    "by": "By",
    "minutes": "min read",
    "further": "Further reading",
    "online": "View online",
    "preferences": "Preferences",
    "leave": "Unsubscribe",
    "why": "You get this letter because you signed up for",
}


def letter(article: str, context: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """The whole text part, text tokens in it.

    Args:
        article: the article's text.
        context: what a template can name.
        words: the template's own labels; English for those it has not.
    """
    issue: IssueView = context["issue"]
    newsletter: NewsletterView = context["newsletter"]
    say = {**WORDS, **words}
    parts = (
        _head(issue, context, say),
        article.strip("\n"),
        _button(issue),
        _author(issue),
        _further(issue.further, say),
        _foot(newsletter, say),
    )
    return retarget("\n\n\n".join(filter(None, parts)), "html", "text") + "\n"


def _head(issue: IssueView, context: Mapping[str, Any], say: Mapping[str, str]) -> str:
    date = context["format_date"](issue.date) if issue.date else ""
    number = f"{say['number']} {issue.number}" if issue.number else ""
    title = _wrapped(issue.title) or ""
    widest = max(columns(line) for line in title.split("\n"))
    byline = f"{say['by']} {issue.author_name}" if issue.author_name else ""
    length = f"{issue.reading_minutes} {say['minutes']}"
    return _lines(
        context["newsletter"].name,
        _joined(number, date),
        "",
        title,
        "=" * max(widest, 3),
        _joined(byline, length),
        f"{say['online']}: {context['view_online_url']}",
    )


def _button(issue: IssueView) -> str:
    return _lines(f"{issue.button.text}:", issue.button.url) if issue.button else ""


def _author(issue: IssueView) -> str:
    author = issue.author
    return _lines(author.name, _wrapped(author.bio), author.url or None) if author else ""


def _further(cards: tuple[CardView, ...], say: Mapping[str, str]) -> str:
    pieces = (
        _lines(card.title, _wrapped(card.text, WIDTH - 2), card.url or None) for card in cards
    )
    entries = ("* " + textwrap.indent(piece, "  ").lstrip() for piece in pieces)
    return "\n\n".join((f"{say['further']}:", *entries)) if cards else ""


def _foot(newsletter: NewsletterView, say: Mapping[str, str]) -> str:
    return _lines(
        RULE,
        _wrapped(f"{say['why']} {newsletter.name}."),
        "",
        f"{say['preferences']}: {PREFERENCES.token('text')}",
        f"{say['leave']}: {UNSUBSCRIBE.token('text')}",
        *(f"{link.text}: {link.url}" for link in newsletter.footer_links),
        "" if newsletter.postal_address else None,
        newsletter.postal_address or None,
    )


def _lines(*lines: str | None) -> str:
    """Lines below each other; ``""`` is an empty line, ``None`` is no line."""
    return "\n".join(line for line in lines if line is not None)


def _joined(*parts: str) -> str | None:
    return " · ".join(filter(None, parts)) or None


def _wrapped(text: str, width: int = WIDTH) -> str | None:
    if not text:
        return None
    return "\n".join(wrap(text, width))
