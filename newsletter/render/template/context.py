"""The variables of a template: newsletter, issue, subscriber, theme.

``docs/reference/templates.md`` describes each for designers.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from markupsafe import Markup

from newsletter.config.models import Config, FooterLink
from newsletter.config.urls import build_subscribe_url, build_view_online_url
from newsletter.errors import TemplateError
from newsletter.posts.issue import CallToAction, Issue
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, MergeTagRegistry
from newsletter.render.article.build import Article
from newsletter.render.article.links import UrlResolver
from newsletter.render.locale import format_date, format_number, get_text_direction
from newsletter.render.personalization import ARTICLE_MARKER, FOOTNOTES_MARKER
from newsletter.render.template.card_views import (
    CardView,
    DigestSectionView,
    PictureView,
    make_card_view,
    make_digest_views,
    make_picture_view,
    to_html_tokens,
)


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
class AuthorView:
    """``issue.author`` in a template: the box under the article."""

    name: str
    bio: str
    url: str
    picture: PictureView | None


@dataclass(frozen=True, slots=True)
class IssueView:
    """``issue`` in a template; its texts contain HTML tokens."""

    name: str
    slug: str
    number: int | None
    date: datetime.date | None
    title: str
    subject: str
    preheader: str
    standfirst: str
    tags: tuple[str, ...]
    canonical_url: str
    author_name: str
    words: int
    reading_minutes: int
    hero: PictureView | None
    author: AuthorView | None
    button: CallToAction | None
    further: tuple[CardView, ...]
    digest: tuple[DigestSectionView, ...]


class SubscriberView:
    """``subscriber`` in a template: every attribute is a merge tag."""

    def __init__(self, table: MergeTagRegistry) -> None:
        self._table = table

    def __getattr__(self, name: str) -> "MergeValue":
        if name.startswith("_"):
            raise AttributeError(name)
        return MergeValue(self._table, name)


class MergeValue:
    """A merge tag in a template: it can be printed and given a default, nothing else."""

    def __init__(self, table: MergeTagRegistry, attribute: str, default: str | None = None) -> None:
        self._table = table
        self._attribute = attribute
        self._default = default

    def with_default(self, default: str) -> "MergeValue":
        """Return the same merge tag with a default for recipients without a value."""
        return MergeValue(self._table, self._attribute, default)

    def __html__(self) -> str:
        """Return the HTML token (MarkupSafe's protocol)."""
        source = f"{{{{ {self._expression} }}}}"
        return self._table.get_or_add(self._attribute, self._default, source, None).token("html")

    @property
    def _expression(self) -> str:
        filter_text = "" if self._default is None else f' | default("{self._default}")'
        return f"subscriber.{self._attribute}{filter_text}"

    def _refuse(self, *_: object) -> Any:
        raise TemplateError(
            f"{self._expression} differs for each reader, so a template can print it, not "
            "compute with it",
            remedy="Only | default(…) may follow it; {% if %} and CSS can't use it.",
        )

    __str__ = __bool__ = __len__ = __iter__ = __eq__ = __lt__ = __gt__ = _refuse
    __add__ = __radd__ = __mod__ = __call__ = __getitem__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def build_template_context(
    issue: Issue, article: Article, config: Config, table: MergeTagRegistry
) -> dict[str, Any]:
    """Return every variable that a template can use."""
    post = issue.post
    lang = post.language or config.language
    return {
        "newsletter": make_newsletter_view(config),
        "issue": make_issue_view(issue, article, config),
        "theme": config.theme,
        "subscriber": SubscriberView(table),
        "unsubscribe_url": Markup(UNSUBSCRIBE_TAG.token("html")),  # noqa: S704 - our own token
        "preferences_url": Markup(PREFERENCES_TAG.token("html")),  # noqa: S704
        "view_online_url": build_view_online_url(config, issue.slug),
        "subscribe_url": build_subscribe_url(config),
        "article": Markup(ARTICLE_MARKER),  # noqa: S704
        "footnotes": Markup(FOOTNOTES_MARKER if article.footnotes else ""),  # noqa: S704
        "lang": lang,
        "dir": get_text_direction(lang, config),
        "format_date": lambda day: format_date(day, lang),
        "format_number": lambda number: format_number(number, lang),
    }


def make_newsletter_view(config: Config) -> NewsletterView:
    """Return ``newsletter`` for a template."""
    return NewsletterView(
        config.name,
        config.description,
        config.language,
        config.direction,
        config.site_url,
        config.postal_address or "",
        config.footer_links,
    )


def make_issue_view(issue: Issue, article: Article, config: Config) -> IssueView:
    """Return ``issue`` for a template."""
    post = issue.post
    urls = UrlResolver.for_issue(issue, config)
    return IssueView(
        name=issue.name,
        slug=issue.slug,
        number=issue.number,
        date=post.date,
        title=to_html_tokens(post.title),
        subject=to_html_tokens(issue.subject),
        preheader=to_html_tokens(issue.preheader),
        standfirst=_make_standfirst(to_html_tokens(issue.preheader), article),
        tags=tuple(to_html_tokens(tag) for tag in post.tags),
        canonical_url=post.canonical_url,
        author_name=to_html_tokens(post.author),
        words=article.word_count,
        reading_minutes=article.reading_minutes,
        hero=make_picture_view(issue.hero, issue, urls),
        author=_make_author_view(issue, urls),
        button=_make_button(issue.button, urls),
        further=tuple(make_card_view(card, issue, urls) for card in issue.further),
        digest=make_digest_views(issue, urls),
    )


def list_template_names(value: object) -> list[str]:
    """Return the names that can follow the dot after ``value`` in a template."""
    if isinstance(value, Mapping):
        return [str(key) for key in value]
    if hasattr(type(value), "__dataclass_fields__"):
        return [field.name for field in fields(value)]  # type: ignore[arg-type]
    return list(getattr(type(value), "model_fields", {}))


def _make_standfirst(preheader: str, article: Article) -> str:
    """Return the preheader, unless the article says it: an imported post's is its opening."""
    return "" if _get_letters(preheader) in _get_letters(article.text) else preheader


def _get_letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _make_author_view(issue: Issue, urls: UrlResolver) -> AuthorView | None:
    if (author := issue.author) is None:
        return None
    picture = make_picture_view(author.picture, issue, urls)
    url = urls.resolve_link(author.url) if author.url else None
    return AuthorView(to_html_tokens(author.name), to_html_tokens(author.bio), url or "", picture)


def _make_button(button: CallToAction | None, urls: UrlResolver) -> CallToAction | None:
    url = button and urls.resolve_link(button.url)
    return CallToAction(to_html_tokens(button.text), url) if button and url else None
