"""Lay out the text part: header, article, author, footer."""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG
from newsletter.render.personalization import convert_tokens
from newsletter.render.template.card_views import CardView, DigestPostView
from newsletter.render.template.context import IssueView, NewsletterView
from newsletter.render.text.wrap import get_display_width, wrap_text

WIDTH = 72
SEPARATOR = "-" * WIDTH


def render_text_part(article: str, context: Mapping[str, Any]) -> str:
    """Return the complete text part, with text tokens.

    Args:
        article: the article's text, with the issue's button.
        context: the variables of a template.
    """
    issue: IssueView = context["issue"]
    newsletter: NewsletterView = context["newsletter"]
    labels: Mapping[str, str] = context["words"]
    parts = (
        _render_header(issue, context, labels),
        article.strip("\n"),
        *_render_digest(issue, context, labels),
        _render_author(issue),
        _render_further(issue.further, labels),
        _render_footer(newsletter, labels, context["subscribe_url"]),
    )
    return convert_tokens("\n\n\n".join(filter(None, parts)), "html", "text") + "\n"


def _render_header(issue: IssueView, context: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    date = context["format_date"](issue.date) if issue.date else ""
    number = f"{labels['number']} {issue.number}" if issue.number else ""
    title = _wrap_paragraph(issue.title) or ""
    widest = max(get_display_width(line) for line in title.split("\n"))
    byline = f"{labels['by']} {issue.author_name}" if issue.author_name else ""
    reading_time = f"{context['format_number'](issue.reading_minutes)} {labels['minutes']}"
    online = context["view_online_url"]
    return _join_lines(
        context["newsletter"].name,
        _join_parts(number, date),
        "",
        title,
        "=" * max(widest, 3),
        _join_parts(byline, reading_time),
        f"{labels['online']}: {online}" if online else None,
    )


def _render_author(issue: IssueView) -> str:
    author = issue.author
    return (
        _join_lines(author.name, _wrap_paragraph(author.bio), author.url or None) if author else ""
    )


def _render_further(cards: tuple[CardView, ...], labels: Mapping[str, str]) -> str:
    pieces = (
        _join_lines(card.title, _wrap_paragraph(card.text, WIDTH - 2), card.url or None)
        for card in cards
    )
    entries = ("* " + textwrap.indent(piece, "  ").lstrip() for piece in pieces)
    return "\n\n".join((f"{labels['further']}:", *entries)) if cards else ""


def _render_digest(
    issue: IssueView, context: Mapping[str, Any], labels: Mapping[str, str]
) -> Iterator[str]:
    """Yield the sections of a digest, and its button."""

    def render_post(post: DigestPostView) -> str:
        minutes = f"{context['format_number'](post.minutes)} {labels['minutes']}"
        return _join_lines(
            _wrap_paragraph(post.title),
            minutes if post.minutes else None,
            _wrap_paragraph(post.excerpt),
            post.url or None,
        )

    for section in issue.digest:
        line = "-" * min(max(get_display_width(section.title), 3), WIDTH)
        heading = [f"{section.title}\n{line}"] if section.title else []
        yield "\n\n".join([*heading, *map(render_post, section.posts)])
    if issue.digest and issue.button:
        yield f"{issue.button.text}:\n{issue.button.url}"


def _render_footer(
    newsletter: NewsletterView, labels: Mapping[str, str], subscribe_url: str
) -> str:
    return _join_lines(
        SEPARATOR,
        _wrap_paragraph(f"{labels['why']} {newsletter.name}."),
        "",
        f"{labels['preferences']}: {PREFERENCES_TAG.token('text')}",
        f"{labels['leave']}: {UNSUBSCRIBE_TAG.token('text')}",
        f"{labels['forwarded']} {labels['subscribe']}: {subscribe_url}" if subscribe_url else None,
        *(f"{link.text}: {link.url}" for link in newsletter.footer_links),
        "" if newsletter.postal_address else None,
        newsletter.postal_address or None,
    )


def _join_lines(*lines: str | None) -> str:
    """Return lines joined by line breaks; ``""`` is an empty line, ``None`` is left out."""
    return "\n".join(line for line in lines if line is not None)


def _join_parts(*parts: str) -> str | None:
    return " · ".join(filter(None, parts)) or None


def _wrap_paragraph(text: str, width: int = WIDTH) -> str | None:
    if not text:
        return None
    return "\n".join(wrap_text(text, width))
