"""Make a ``SourcePost`` of an item of a WordPress export."""

import datetime
import html
import re
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import unquote

from newsletter.posts.front_matter.field_types import LANGUAGE_TAG_PATTERN
from newsletter.posts.importing.settings.dates import is_in_every_zone
from newsletter.posts.importing.settings.notes import SettingNote, clip_value
from newsletter.posts.importing.source_post import PostStatus, SourcePost, SourceSettings
from newsletter.posts.importing.sources.wordpress.content import render_content
from newsletter.posts.importing.sources.wordpress.export_index import ExportIndex
from newsletter.posts.importing.sources.wordpress.export_xml import ExportHeader, ExportItem

_STATUSES: Mapping[str, PostStatus] = {
    "publish": "published",
    "future": "scheduled",
    "draft": "draft",
    "pending": "draft",
    "private": "private",
}
# https://developer.wordpress.org/themes/basics/post-types/#default-post-types, and plugins'.
_OTHER_TYPES = {
    "attachment": "uploaded files",
    "revision": "revisions",
    "nav_menu_item": "menu items",
    "wp_block": "reusable blocks",
    "wp_navigation": "menus",
    "wp_template": "templates",
    "wp_template_part": "templates",
    "wp_global_styles": "styles of the site",
    "wp_font_family": "styles of the site",
    "wp_font_face": "styles of the site",
    "custom_css": "styles of the site",
    "customize_changeset": "revisions",
    "oembed_cache": "cached embeds",
    "user_request": "requests of users",
}
_OTHER_STATUSES = {
    "trash": "posts in the trash",
    "auto-draft": "drafts without text",
    "inherit": "revisions",
}
# Slugs of the category of posts that are in none, in the languages of most blogs.
_NO_CATEGORY = frozenset(
    """
    uncategorized uncategorised allgemein unkategorisiert non-classe non-class sin-categoria
    senza-categoria geen-categorie sem-categoria bez-kategorii okategoriserade ukategorisert
    ikke-kategoriseret
    """.split()
)
_TAG_TAXONOMIES = frozenset({"category", "post_tag", "tag", ""})
# Terms that say nothing to readers; "language" is read as the post's language.
_SILENT_TAXONOMIES = frozenset(
    """
    post_format nav_menu language post_translations term_language term_translations author
    wp_theme wp_template_part_area amp_validation_error product_type product_visibility
    """.split()
)
_DESCRIPTIONS = (
    "_yoast_wpseo_metadesc", "rank_math_description", "_aioseo_description",
    "_aioseop_description",
)  # fmt: skip
_FIRST_YEAR = 1990  # no blog is older; 1970 and -0001 mean that there is no date
_TAG = re.compile(r"<!--.{0,2000}?-->|</?[a-zA-Z][^<>]*>", re.DOTALL)
_CONTROL_CHARACTER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LANGUAGE = re.compile(LANGUAGE_TAG_PATTERN)
_WEB_URL = re.compile(r"https?://[^\s<>\"]+")


def find_other_kind(item: ExportItem) -> str:
    """Return what an item is that is no post, in the plural; empty for a post."""
    kind = item.get("wp:post_type")
    if kind in _OTHER_TYPES:
        return _OTHER_TYPES[kind]
    status = item.get("wp:status")
    if status in _OTHER_STATUSES:
        return _OTHER_STATUSES[status]
    if kind not in {"", "post", "page"} and not item.get("content:encoded"):
        return f"items of the type '{kind}' without text"
    return ""


def make_post(
    item: ExportItem, header: ExportHeader, index: ExportIndex, settings: SourceSettings
) -> SourcePost:
    """Return a post, with its content as HTML.

    Args:
        item: the post, or a page or a custom type.
        header: what the export says before its items.
        index: what posts refer to.
        settings: the newsletter's settings.
    """
    base_url = settings.base_url or header.fields.get("wp:base_blog_url", "").rstrip("/")
    content = render_content(item, index, base_url, settings.max_post_bytes)
    status = _STATUSES.get(item.get("wp:status"), "draft")
    is_protected = bool(item.get("wp:post_password"))
    description = next(
        (text for key in _DESCRIPTIONS if (text := item.meta.get(key, "")) and "%%" not in text), ""
    )
    excerpt = _make_plain(item.get("excerpt:encoded"))
    link = item.get("link")
    number = item.get("wp:post_id")
    login = item.get("dc:creator")
    hero = index.attachments.get(item.meta.get("_thumbnail_id", "").strip())
    return SourcePost(
        title=_make_plain(item.get("title")),
        content=content.html,
        original=content.original,
        post_id=item.get("guid") or (f"{base_url}/?p={number}" if number else ""),
        url=link if status == "published" and _WEB_URL.fullmatch(link) else "",
        slug=unquote(item.get("wp:post_name")),  # WordPress encodes all but ASCII
        date=_find_date(item, settings, is_draft=status == "draft"),
        status="private" if is_protected else status,
        kind=item.get("wp:post_type") or "post",
        author=_make_plain(index.author_names.get(login) or login),
        tags=tuple(_iter_tags(item)),
        language=_find_language(item, header),
        summary=excerpt or _make_plain(description),
        preheader=_make_plain(description),
        hero=hero.url if hero else "",
        hero_alt=hero.alt if hero else "",
        removed=content.removed,
        notes=tuple(_iter_notes(item, index, is_protected=is_protected)),
    )


def _iter_notes(
    item: ExportItem, index: ExportIndex, *, is_protected: bool
) -> Iterator[SettingNote]:
    status = item.get("wp:status")
    if is_protected:
        yield SettingNote("status", "the post has a password on the blog: it counts as private")
    elif status not in _STATUSES:
        yield SettingNote("status", f"'{clip_value(status)}' counts as a draft")
    thumbnail = item.meta.get("_thumbnail_id", "").strip()
    if thumbnail not in {"", "0", "-1"} and thumbnail not in index.attachments:
        yield SettingNote("hero", f"the featured image {thumbnail} isn't in the export")
    others: dict[str, list[str]] = {}
    for term in item.terms:
        if term.taxonomy not in _TAG_TAXONOMIES | _SILENT_TAXONOMIES:
            others.setdefault(term.taxonomy, []).append(_make_plain(term.name) or term.slug)
    for taxonomy, names in others.items():
        yield SettingNote(taxonomy, f"'{clip_value(names)}' was not imported")


def _iter_tags(item: ExportItem) -> Iterator[str]:
    """Yield the names of categories and tags; WXR 1.0 has each with and without its taxonomy."""
    seen: set[str] = set()
    for term in item.terms:
        name = _make_plain(term.name) or term.slug
        slug = term.slug or name.lower().replace(" ", "-")
        if term.taxonomy in _TAG_TAXONOMIES and slug not in _NO_CATEGORY and name:
            if name.casefold() not in seen:
                yield name
            seen.add(name.casefold())


def _find_language(item: ExportItem, header: ExportHeader) -> str:
    """Return the language that a plugin for several has given the post, else the blog's."""
    stated = (term.slug for term in item.terms if term.taxonomy == "language")
    candidates = (*stated, header.fields.get("language", ""))
    return next((text for text in candidates if _LANGUAGE.fullmatch(text)), "")


def _find_date(
    item: ExportItem, settings: SourceSettings, *, is_draft: bool
) -> datetime.datetime | None:
    """Return the date in the newsletter's time zone; ``None`` if there is none that can be."""
    names = ("wp:post_modified", "wp:post_date") if is_draft else ("wp:post_date",)
    for name in names:
        utc = _parse_date(item.get(f"{name}_gmt"))
        if utc:
            return utc.replace(tzinfo=datetime.UTC).astimezone(settings.timezone)
        local = _parse_date(item.get(name))  # in the blog's zone, which no export states
        if local:
            return local.replace(tzinfo=settings.timezone)
    stated = item.get("pubDate")  # exports of other tools
    try:
        published = parsedate_to_datetime(stated)
    except ValueError:
        return None
    if "-0001" in stated:  # read as 2000
        return None
    is_real = published.tzinfo is not None and _is_real(published)
    return published.astimezone(settings.timezone) if is_real else None


def _parse_date(text: str) -> datetime.datetime | None:
    try:
        date = datetime.datetime.strptime(text[:19], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - its zone is the caller's
    except ValueError:  # "0000-00-00 00:00:00" if it was never published
        return None
    return date if _is_real(date) else None


def _is_real(date: datetime.datetime) -> bool:
    return date.year >= _FIRST_YEAR and is_in_every_zone(date)


def _make_plain(text: str) -> str:
    """Return HTML as text on one line; entities in it are undone once."""
    return " ".join(_CONTROL_CHARACTER.sub(" ", html.unescape(_TAG.sub("", text))).split())
