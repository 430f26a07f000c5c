"""Images and cards in a template: further reading, the posts of a digest."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from markupsafe import escape

from newsletter.posts.issue import DigestPost, FrontMatterImage, FurtherReadingCard, Issue
from newsletter.render.article.links import UrlResolver
from newsletter.render.personalization import convert_tokens

_NONCHARACTERS = dict.fromkeys(range(0xFDD0, 0xFDF0))


@dataclass(frozen=True, slots=True)
class PictureView:
    """An image with an absolute URL; ``width`` and ``height`` are 0 if unknown.

    ``dark_src`` is its twin for dark mode, for web pages; an email gets it in the end.
    """

    src: str
    alt: str
    caption: str
    width: int
    height: int
    dark_src: str = ""


@dataclass(frozen=True, slots=True)
class CardView:
    """One of ``issue.further`` in a template."""

    title: str
    url: str
    text: str
    picture: PictureView | None


@dataclass(frozen=True, slots=True)
class DigestPostView:
    """A post of a digest in a template; ``minutes`` is 0 if unknown."""

    title: str
    url: str
    excerpt: str
    picture: PictureView | None
    minutes: int
    date: datetime.date | None


@dataclass(frozen=True, slots=True)
class DigestSectionView:
    """One of ``issue.digest`` in a template: posts below one heading, which may be empty."""

    title: str
    posts: tuple[DigestPostView, ...]


def to_html_tokens(text: str) -> str:
    """Return a text of an issue for a template: with HTML tokens, without noncharacters."""
    return convert_tokens(text, "text", "html").translate(_NONCHARACTERS)


def make_picture_view(
    picture: FrontMatterImage | None, issue: Issue, urls: UrlResolver
) -> PictureView | None:
    """Return an image for a template; ``None`` if a mail client can't fetch it."""
    src = picture and urls.resolve_image(picture.src)
    if picture is None or not src:
        return None
    local = issue.post.images.get(picture.src)
    width, height = (local.width, local.height) if local else (0, 0)
    return PictureView(
        src,
        to_html_tokens(picture.alt),
        to_html_tokens(picture.caption),
        width,
        height,
        (local and local.dark_name and urls.resolve_image(local.dark_name)) or "",
    )


def make_card_view(card: FurtherReadingCard, issue: Issue, urls: UrlResolver) -> CardView:
    """Return a card for further reading for a template."""
    picture = make_picture_view(card.picture, issue, urls)
    return CardView(
        to_html_tokens(card.title),
        urls.resolve_link(card.url) or "",
        to_html_tokens(card.text),
        picture,
    )


def make_digest_views(issue: Issue, urls: UrlResolver) -> tuple[DigestSectionView, ...]:
    """Return the posts of a digest by section, in the order in which sections are first named.

    Posts without a section come first: below a heading they would seem to belong to it.
    """
    sections: dict[str, list[DigestPostView]] = {"": []}
    for post in issue.digest:
        sections.setdefault(to_html_tokens(post.section), []).append(
            _make_digest_post_view(post, issue, urls)
        )
    return tuple(
        DigestSectionView(title, tuple(posts)) for title, posts in sections.items() if posts
    )


def _make_digest_post_view(post: DigestPost, issue: Issue, urls: UrlResolver) -> DigestPostView:
    # A linked image without a text of its own stands for what it leads to (HTML, 4.8.4.4.2).
    picture = post.picture and replace(post.picture, alt=post.picture.alt or post.title)
    return DigestPostView(
        to_html_tokens(post.title),
        urls.resolve_link(post.url) or "",
        to_html_tokens(post.excerpt),
        make_picture_view(picture, issue, urls),
        post.minutes,
        post.date,
    )


def format_digest_html(sections: Sequence[DigestSectionView], minutes: str = "") -> str:
    """Return the posts of a digest as plain HTML, for web pages, feeds and checks.

    Args:
        sections: the posts.
        minutes: a reading time with ``{n}`` for the number; left out if empty.
    """
    parts: list[str] = []
    for section in sections:
        level = 3 if section.title else 2
        if section.title:
            parts.append(f"<h2>{escape(section.title)}</h2>")
        for post in section.posts:
            link = f'<a href="{escape(post.url)}">{{}}</a>' if post.url else "{}"
            picture = post.picture and (
                f'<img src="{escape(post.picture.src)}" alt="{escape(post.picture.alt)}"'
                + (
                    f' width="{post.picture.width}" height="{post.picture.height}"'
                    if post.picture.width
                    else ""
                )
                + ">"
            )
            parts += [
                '<div class="digest-post">',
                f'<p class="digest-picture">{link.format(picture)}</p>' if picture else "",
                '<div class="digest-story">',
                f"<h{level}>{link.format(escape(post.title))}</h{level}>",
                f"<p>{escape(post.excerpt)}</p>" if post.excerpt else "",
                f'<p class="digest-minutes">{escape(minutes.replace("{n}", str(post.minutes)))}</p>'
                if minutes and post.minutes
                else "",
                "</div>",
                "</div>",
            ]
    return "\n".join(filter(None, parts))
