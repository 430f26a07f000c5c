"""Convert an issue for the web: clean HTML without personal data or links."""

import datetime
import html
import re
from collections.abc import Callable, Mapping
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
from newsletter.posts.stills import list_drawn_stills
from newsletter.render.article.blocks import REPLY_CLASS, SPONSOR_CLASS
from newsletter.render.article.build import build_article
from newsletter.render.article.dark_images import add_dark_images, build_dark_urls
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
from newsletter.render.article.links import UrlResolver
from newsletter.render.locale import format_date, get_text_direction
from newsletter.render.template.card_views import (
    PictureView,
    format_digest_html,
    make_digest_views,
)
from newsletter.render.template.context import IssueView, make_issue_view
from newsletter.render.words import NO_WORDS, OwnWords, load_words

# Replaced by the site's URL of the issues once it is known. RFC 2606 reserves ".invalid".
_BASE_PLACEHOLDER = "https://this-site.invalid/issues/"
_PERSONAL_LINK = re.compile(r"-nl(?:unsubscribe|preferences)[htu]-")
# Inline colors of highlighted code and the classes that stand for them in ``archive.css``.
_CODE_CLASSES = {
    "color:#1f5f8b": "code-blue",
    "color:#3d6b35": "code-green",
    "color:#8a4b14": "code-orange",
    "color:#6a3f8f": "code-purple",
    "color:#a12b2b": "code-red",
    "color:#667079": "code-gray",
    "font-style:italic": "code-italic",
    "font-weight:bold": "code-bold",
}
_TEXT_ALIGN = re.compile(r"(?:^|;)text-align:(left|right|center)")
_MAX_SUMMARY_LENGTH = 200
# XML 1.0, 2.2: control characters, lone surrogates, U+FFFE and U+FFFF are in no document.
_INVALID_CHARACTERS = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class ArchivedIssue:
    """One sent issue on the web.

    Attributes:
        name: the name of its folder.
        slug: for its URL.
        at: when it was sent, timezone-aware.
        day: the date shown on it.
        date: the same, formatted in its language.
        lang: its language (BCP 47).
        dir: ``ltr`` or ``rtl``.
        url: the canonical URL: the post's own if it has one, else ``address``.
        address: the URL of this issue in the archive ("view online").
        summary: a sentence or two, plain text.
        picture: the one for previews on other sites: its hero, else its first own image.
        view: the parts around the article, as in an email's template.
        html: the article, and a digest's posts below it, with a placeholder for the base URL; see
            ``html_with_base``.
        listing: whether it is listed, unlisted or private.
        stills: the names of its images that are drawn on a video's still.
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
    picture: PictureView | None
    view: IssueView
    html: str
    listing: ArchiveListing
    stills: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The title, plain text."""
        return self.view.title

    def html_with_base(self, base: str) -> str:
        """Return the article, its images below ``base`` (``""`` for this host, or a site's URL)."""
        return self.html.replace(_BASE_PLACEHOLDER, html.escape(f"{base}/issues/"))

    def picture_with_base(self, base: str) -> PictureView | None:
        """Return the picture for previews, its URL below ``base``."""
        picture: PictureView | None = _map_texts(self.picture, _make_base_filler(base))
        return picture

    def view_with_base(self, base: str) -> IssueView:
        """Return the parts around the article, their images below ``base``."""
        view: IssueView = _map_texts(self.view, _make_base_filler(base))
        return view


def make_archived_issue(
    issue: Issue, at: datetime.datetime, config: Config, own_words: OwnWords = NO_WORDS
) -> ArchivedIssue:
    """Convert an issue to its web form. Pure.

    Merge tags show their default; personal links become plain text. Removed are inline styles,
    which the pages' security policy forbids, preview images of embedded content that another site
    serves, and characters that no XML document can hold.

    Args:
        issue: the issue as its folder is now.
        at: when it was sent, timezone-aware.
        config: the newsletter's settings.
        own_words: the project's, for what is named in an article; the shipped ones if not given.

    Raises:
        TemplateError: the project's own words are wrong.
    """
    web_config = config.model_copy(
        update={"image_url": _BASE_PLACEHOLDER + "{slug}/{file}", "utm": UtmSettings()}
    )
    lang = issue.post.language or config.language
    article = build_article(issue, web_config, load_words(own_words, lang, "article"))
    tags = {tag.key: tag for tag in issue.merge_tags}
    digest = format_digest_html(
        make_digest_views(issue, UrlResolver.for_issue(issue, web_config)),
        load_words(own_words, lang, "page")["archive_minutes"],
    )
    root = parse_fragment("\n".join(filter(None, (article.html, digest))))
    _clean_for_web(root)

    def fill(text: str) -> str:
        return _fill_with_defaults(text, tags, "text")

    view: IssueView = _map_texts(make_issue_view(issue, article, web_config), fill)
    post = issue.post
    day = post.date or at.astimezone(ZoneInfo(config.timezone)).date()
    address = build_issue_url(config, issue.slug)
    archived = ArchivedIssue(
        name=issue.name,
        slug=issue.slug,
        at=at,
        day=day,
        date=format_date(day, lang),
        lang=lang,
        dir=get_text_direction(lang, config),
        url=post.canonical_url or address,
        address=address,
        summary=view.preheader or fill(_make_summary(root)),
        picture=view.hero or _map_texts(_find_first_picture(root), fill),
        view=view,
        html=_fill_with_defaults(
            add_dark_images(serialize_fragment(root), build_dark_urls(issue, web_config)),
            tags,
            "html",
        ),
        listing=issue.archive or config.archive.listing,
        stills=list_drawn_stills(post.images),
    )
    cleaned: ArchivedIssue = _map_texts(archived, lambda text: _INVALID_CHARACTERS.sub("", text))
    return cleaned


def issue_path(slug: str) -> str:
    """Return an issue's path below the site's root."""
    return f"/issues/{quote(slug)}"


def _make_base_filler(base: str) -> Callable[[str], str]:
    return lambda text: text.replace(_BASE_PLACEHOLDER, f"{base}/issues/")


def _find_first_picture(root: Element) -> PictureView | None:
    """Return the article's first image that is its own; its natural size isn't known here."""
    return next(
        (
            PictureView(src, image.get("alt") or "", "", 0, 0)
            for image in root.iter("img")
            if (src := image.get("src") or "").startswith(_BASE_PLACEHOLDER)
        ),
        None,
    )


def _name_code_colors(root: Element) -> None:
    """Give the spans of highlighted code classes that stand for their inline styles."""
    for code in root.iter("pre"):
        for span in code.iter("span"):
            for declaration in (span.get("style") or "").lower().split(";"):
                if name := _CODE_CLASSES.get(declaration.strip()):
                    add_class(span, name)


def _clean_for_web(root: Element) -> None:
    _name_code_colors(root)
    _clean_blocks(root)
    for element in list(root.iter()):
        style = str(element.attrib.pop("style", ""))
        if alignment := _TEXT_ALIGN.search(style):
            add_class(element, f"align-{alignment[1]}")
    for link in list(root.iter("a")):
        if "embed-picture" in (link.get("class") or "") and not _is_own_picture(link):
            drop_element(link)
        elif _PERSONAL_LINK.search(link.get("href") or ""):
            unwrap_element(link)
    for element in root.iter("pre", "div"):
        if element.tag == "pre" or "table-scroll" in get_classes(element):
            element.set("tabindex", "0")  # it scrolls: it must be reachable by keyboard
    for image in root.iter("img"):
        image.set("loading", "lazy")


def _clean_blocks(root: Element) -> None:
    for block in list(root.iter("div")):
        names = get_classes(block)
        if REPLY_CLASS in names:
            drop_element(block)  # readers of the page have nothing to reply to; harvesters would
        elif SPONSOR_CLASS in names:
            for link in block.iter("a"):
                link.set("rel", "sponsored")  # Google's spam policies ask for it


def _is_own_picture(link: Element) -> bool:
    return all((image.get("src") or "").startswith(_BASE_PLACEHOLDER) for image in link.iter("img"))


def _make_summary(root: Element) -> str:
    text = next(
        (visible for p in root.iter("p") if not is_blank(visible := get_visible_text(p))),
        get_visible_text(root),
    )
    summary = " ".join(text.split())
    return (
        summary
        if len(summary) <= _MAX_SUMMARY_LENGTH
        else summary[:_MAX_SUMMARY_LENGTH].rpartition(" ")[0] + " …"
    )


def _fill_with_defaults(text: str, tags: Mapping[str, MergeTag], text_target: TokenTarget) -> str:
    """Replace merge tokens by their defaults; ``text_target`` is the kind of text to escape for."""

    def get_default(match: re.Match[str]) -> str:
        tag = tags.get(match["key"])
        return tag.value({}, "url" if match["target"] == "u" else text_target) if tag else ""

    return MERGE_TOKEN_PATTERN.sub(get_default, text)


def _map_texts(value: Any, transform: Any) -> Any:
    """Return ``value`` with ``transform`` applied to every string in it, at any depth."""
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
