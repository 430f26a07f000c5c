"""What a template can name: the newsletter, the issue, the reader, and the words for them.

``docs/reference/templates.md`` describes each for designers.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from markupsafe import Markup

from newsletter.config.models import Config, FooterLink
from newsletter.config.urls import issue_url
from newsletter.errors import TemplateError
from newsletter.posts.issue import Button, Card, Issue, Picture
from newsletter.posts.merge_tags.tags import PREFERENCES, UNSUBSCRIBE, MergeTable
from newsletter.render.article.build import Article
from newsletter.render.article.links import Addresses
from newsletter.render.locale import direction, format_date
from newsletter.render.personalization import ARTICLE, retarget

_NONCHARACTERS = dict.fromkeys(range(0xFDD0, 0xFDF0))


@dataclass(frozen=True, slots=True)
class NewsletterView:
    """``newsletter`` in a template."""

    name: str
    description: str
    language: str
    direction: str
    site_url: str
    postal_address: str
    footer_links: tuple[FooterLink, ...]


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture with an absolute URL; ``width`` and ``height`` are 0 where they are not known."""

    src: str
    alt: str
    caption: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class AuthorView:
    """``issue.author`` in a template: the box under the article."""

    name: str
    bio: str
    url: str
    picture: PictureView | None


@dataclass(frozen=True, slots=True)
class CardView:
    """One of ``issue.further`` in a template."""

    title: str
    url: str
    text: str
    picture: PictureView | None


@dataclass(frozen=True, slots=True)
class IssueView:
    """``issue`` in a template; its texts carry HTML tokens."""

    name: str
    slug: str
    number: int | None
    date: datetime.date | None
    title: str
    subject: str
    preheader: str
    tags: tuple[str, ...]
    canonical_url: str
    author_name: str
    words: int
    reading_minutes: int
    hero: PictureView | None
    author: AuthorView | None
    button: Button | None
    further: tuple[CardView, ...]


class SubscriberView:
    """``subscriber`` in a template: every attribute is a merge tag."""

    def __init__(self, table: MergeTable) -> None:
        self._table = table

    def __getattr__(self, name: str) -> "MergeValue":
        if name.startswith("_"):
            raise AttributeError(name)
        return MergeValue(self._table, name)


class MergeValue:
    """What differs from reader to reader: it can be printed and given a default, nothing else."""

    def __init__(self, table: MergeTable, attribute: str, default: str | None = None) -> None:
        self._table = table
        self._attribute = attribute
        self._default = default

    def or_else(self, default: str) -> "MergeValue":
        """The same with the words for readers who have nothing there."""
        return MergeValue(self._table, self._attribute, default)

    def __html__(self) -> str:
        """Return its HTML token (the protocol of MarkupSafe)."""
        source = f"{{{{ {self._words} }}}}"
        return self._table.tag(self._attribute, self._default, source, None).token("html")

    @property
    def _words(self) -> str:
        tail = "" if self._default is None else f' | default("{self._default}")'
        return f"subscriber.{self._attribute}{tail}"

    def _refuse(self, *_: object) -> Any:
        raise TemplateError(
            f"{self._words} differs from reader to reader, so a template can print it, not use it",
            remedy="Only | default(…) may follow it, and it can't stand in an {% if %} or in CSS.",
        )

    __str__ = __bool__ = __len__ = __iter__ = __eq__ = __lt__ = __gt__ = _refuse
    __add__ = __radd__ = __mod__ = __call__ = __getitem__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def template_context(
    issue: Issue, article: Article, config: Config, table: MergeTable
) -> dict[str, Any]:
    """Every name that a template can use."""
    post = issue.post
    lang = post.language or config.language
    return {
        "newsletter": newsletter_view(config),
        "issue": issue_view(issue, article, config),
        "theme": config.theme,
        "subscriber": SubscriberView(table),
        "unsubscribe_url": Markup(UNSUBSCRIBE.token("html")),  # noqa: S704 - a token, ours
        "preferences_url": Markup(PREFERENCES.token("html")),  # noqa: S704
        "view_online_url": issue_url(config, issue.slug),
        "article": Markup(ARTICLE),  # noqa: S704
        "lang": lang,
        "dir": direction(lang, config),
        "format_date": lambda day: format_date(day, lang),
    }


def newsletter_view(config: Config) -> NewsletterView:
    """``newsletter`` in a template."""
    return NewsletterView(
        config.name,
        config.description,
        config.language,
        config.direction,
        config.site_url,
        config.postal_address or "",
        config.footer_links,
    )


def issue_view(issue: Issue, article: Article, config: Config) -> IssueView:
    """``issue`` in a template."""
    post = issue.post
    addresses = Addresses.of(issue, config)
    return IssueView(
        name=issue.name,
        slug=issue.slug,
        number=issue.number,
        date=post.date,
        title=_words(post.title),
        subject=_words(issue.subject),
        preheader=_words(issue.preheader),
        tags=tuple(_words(tag) for tag in post.tags),
        canonical_url=post.canonical_url,
        author_name=_words(post.author),
        words=article.words,
        reading_minutes=article.minutes,
        hero=_picture(issue.hero, issue, addresses),
        author=_author(issue, addresses),
        button=_button(issue.button, addresses),
        further=tuple(_card(card, issue, addresses) for card in issue.further),
    )


def names_of(value: object) -> list[str]:
    """What can follow the dot after ``value`` in a template."""
    if isinstance(value, Mapping):
        return [str(key) for key in value]
    if hasattr(type(value), "__dataclass_fields__"):
        return [field.name for field in fields(value)]  # type: ignore[arg-type]
    return list(getattr(type(value), "model_fields", {}))


def _words(text: str) -> str:
    return retarget(text, "text", "html").translate(_NONCHARACTERS)


def _author(issue: Issue, addresses: Addresses) -> AuthorView | None:
    if (author := issue.author) is None:
        return None
    picture = _picture(author.picture, issue, addresses)
    url = addresses.link(author.url) if author.url else None
    return AuthorView(_words(author.name), _words(author.bio), url or "", picture)


def _button(button: Button | None, addresses: Addresses) -> Button | None:
    url = button and addresses.link(button.url)
    return Button(_words(button.text), url) if button and url else None


def _card(card: Card, issue: Issue, addresses: Addresses) -> CardView:
    picture = _picture(card.picture, issue, addresses)
    return CardView(_words(card.title), addresses.link(card.url) or "", _words(card.text), picture)


def _picture(picture: Picture | None, issue: Issue, addresses: Addresses) -> PictureView | None:
    src = picture and addresses.image(picture.src)
    if picture is None or not src:
        return None
    local = issue.post.images.get(picture.src)
    width, height = (local.width, local.height) if local else (0, 0)
    return PictureView(src, _words(picture.alt), _words(picture.caption), width, height)
