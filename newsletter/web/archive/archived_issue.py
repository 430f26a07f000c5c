"""An issue as the web shows it: the article in clean HTML, no reader's own words in it."""

import datetime
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from newsletter.config import Config
from newsletter.config.models import UtmSettings
from newsletter.config.public_site import ArchiveListing
from newsletter.config.urls import build_issue_url
from newsletter.posts.issue import Issue
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN, MergeTag, TokenTarget
from newsletter.render.article.build import build_article
from newsletter.render.article.dom import (
    Element,
    add_class,
    drop_element,
    get_classes,
    get_visible_text,
    is_blank,
    parse_fragment,
    serialize_fragment,
    unwrap_element,
)
from newsletter.render.locale import format_date, get_text_direction
from newsletter.render.template.context import IssueView, make_issue_view

# Stands for where this site's issues are, until it is known who asks. RFC 2606: nobody's.
_BASE_PLACEHOLDER = "https://this-site.invalid/issues/"
_PERSONAL_LINK = re.compile(r"-nl(?:unsubscribe|preferences)[htu]-")
_TEXT_ALIGN = re.compile(r"(?:^|;)text-align:(left|right|center)")
_MAX_SUMMARY_LENGTH = 200


@dataclass(frozen=True, slots=True)
class ArchivedIssue:
    """One sent issue on the web.

    Attributes:
        name: its folder's.
        slug: for its URL.
        at: when it was sent, aware.
        day: the day it bears.
        date: the same in words.
        lang: BCP 47; ``dir`` is ``ltr`` or ``rtl``.
        url: the page of record, absolute: where the post says it lives, or ``address``.
        address: where this issue is on the web ("view online").
        summary: a sentence or two, plain text.
        view: what furniture there is around the article, as in a mail's template.
        html: the article; see ``article``.
        listing: who can find it.
    """

    name: str
    slug: str
    at: datetime.datetime
    day: datetime.date
    date: str
    lang: str
    dir: str
    url: str
    address: str
    summary: str
    view: IssueView
    html: str
    listing: ArchiveListing

    @property
    def title(self) -> str:
        """Its title, plain text."""
        return self.view.title

    def html_with_base(self, base: str) -> str:
        """The article, its images below ``base`` (``""`` for this host, or a site's URL)."""
        return self.html.replace(_BASE_PLACEHOLDER, html.escape(f"{base}/issues/"))

    def view_with_base(self, base: str) -> IssueView:
        """The furniture, its images below ``base``."""
        view: IssueView = _map_texts(
            self.view, lambda text: text.replace(_BASE_PLACEHOLDER, f"{base}/issues/")
        )
        return view


def make_archived_issue(issue: Issue, at: datetime.datetime, config: Config) -> ArchivedIssue:
    """Make an issue's web page of its post. Pure.

    What differs from reader to reader shows its default; what a reader's own link said stays as
    text. Inline styles go (no page of ours allows them), and so do stills that another site serves.

    Args:
        issue: as its folder is now.
        at: when it was sent, aware.
        config: the newsletter's.
    """
    here = config.model_copy(
        update={"image_url": _BASE_PLACEHOLDER + "{slug}/{file}", "utm": UtmSettings()}
    )
    article = build_article(issue, here)
    tags = {tag.key: tag for tag in issue.merge_tags}
    root = parse_fragment(article.html)
    _clean_for_web(root)
    view: IssueView = _map_texts(
        make_issue_view(issue, article, here), lambda text: _fill_with_defaults(text, tags, "text")
    )
    post = issue.post
    lang = post.language or config.language
    day = post.date or at.astimezone(ZoneInfo(config.timezone)).date()
    address = build_issue_url(config, issue.slug)
    return ArchivedIssue(
        name=issue.name,
        slug=issue.slug,
        at=at,
        day=day,
        date=format_date(day, lang),
        lang=lang,
        dir=get_text_direction(lang, config),
        url=post.canonical_url or address,
        address=address,
        summary=view.preheader or _fill_with_defaults(_make_summary(root), tags, "text"),
        view=view,
        html=_fill_with_defaults(serialize_fragment(root), tags, "html"),
        listing=issue.archive or config.archive.listing,
    )


def issue_path(slug: str) -> str:
    """Where this site answers for an issue, below its root."""
    return f"/issues/{quote(slug)}"


def _clean_for_web(root: Element) -> None:
    for element in list(root.iter()):
        style = str(element.attrib.pop("style", ""))
        if aligned := _TEXT_ALIGN.search(style):
            add_class(element, f"align-{aligned[1]}")
    for link in list(root.iter("a")):
        if "embed-picture" in (link.get("class") or ""):
            drop_element(link)
        elif _PERSONAL_LINK.search(link.get("href") or ""):
            unwrap_element(link)
    for wide in root.iter("pre", "div"):
        if wide.tag == "pre" or "table-scroll" in get_classes(wide):
            wide.set("tabindex", "0")  # it scrolls, and not everybody has a mouse
    for image in root.iter("img"):
        image.set("loading", "lazy")


def _make_summary(root: Element) -> str:
    text = next(
        (words for p in root.iter("p") if not is_blank(words := get_visible_text(p))),
        get_visible_text(root),
    )
    words = " ".join(text.split())
    return (
        words
        if len(words) <= _MAX_SUMMARY_LENGTH
        else words[:_MAX_SUMMARY_LENGTH].rpartition(" ")[0] + " …"
    )


def _fill_with_defaults(text: str, tags: Mapping[str, MergeTag], text_target: TokenTarget) -> str:
    """``text`` for somebody of whom nothing is known; ``words`` is what its text tokens become."""

    def value(found: re.Match[str]) -> str:
        tag = tags.get(found["key"])
        return tag.value({}, "url" if found["target"] == "u" else text_target) if tag else ""

    return MERGE_TOKEN_PATTERN.sub(value, text)


def _map_texts(value: Any, transform: Any) -> Any:
    """``value`` with every text in it changed, however deep."""
    if isinstance(value, str):
        return transform(value)
    if isinstance(value, tuple):
        return tuple(_map_texts(inner, transform) for inner in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value,
            **{f.name: _map_texts(getattr(value, f.name), transform) for f in fields(value)},
        )
    return value
