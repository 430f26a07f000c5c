"""Read a downloaded web page as a post; find the feeds that it links to."""

import datetime
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

from newsletter.errors import Location, PostError
from newsletter.fetch.download import Download
from newsletter.fetch.request_url import is_loopback_url
from newsletter.posts.extracted_article import ExtractedArticle
from newsletter.posts.front_matter.field_types import LANGUAGE_TAG_PATTERN
from newsletter.posts.html.extract_article import extract_article
from newsletter.posts.html.normalize.absolute_urls import make_urls_absolute
from newsletter.posts.html.normalize.lazy_images import are_same_images, list_image_sources
from newsletter.posts.html.normalize.tags import Tag, iter_html_tags
from newsletter.posts.importing.blocks import outline_html
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.source_post import SourcePost
from newsletter.posts.text_encoding import decode_text
from newsletter.url_secrets import mask_url_secrets

_PAGE_TYPES = frozenset({"", "text/html", "application/xhtml+xml"})
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/feed+json"})
_HEADING_TAGS = frozenset({"h1", "h2", "h3"})
_MEDIA_TAGS = frozenset({"img", "iframe", "video", "audio", "picture"})
_LITTLE_TEXT = 400  # characters: less than that beside a password field is no post
_HARDLY_ANY_TEXT = 60  # characters: less than that, without a picture, is no post
_MIN_LISTED_POSTS = 3
_LIST_PATH = re.compile(r"/?|/(?:[\w-]+/)?(?:blog|posts|news|articles|archives?)/?", re.IGNORECASE)
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_CJK_WEIGHT = 3  # Latin letters that say as much
_SAVE_IT = "Open it in a browser, save it as a complete page, and import the saved file."
_LOG_IN = "Log in with a browser, save the page there, and import the saved file."


class FeedLink(NamedTuple):
    """A feed that a page links to.

    Attributes:
        title: plain text, or empty.
        url: absolute.
        media_type: such as ``application/atom+xml``.
    """

    title: str
    url: str
    media_type: str


def parse_page_download(download: Download, selector: str = "") -> SourcePost:
    """Return the post of a downloaded web page.

    Its content is the whole page, with absolute URLs: the import finds the article in it, and lists
    what is around it.

    Args:
        download: the page.
        selector: CSS selector of its article, or empty.

    Raises:
        PostError: it isn't a web page, or has no post: it needs a login, or is made by scripts.
    """
    where = Location(mask_url_secrets(download.url))
    if download.content_type not in _PAGE_TYPES:
        raise PostError(
            f"this is {download.content_type}, not a web page",
            where=where,
            remedy="Use the URL of the post's page, or save it as a file and import that.",
        )
    text = decode_text(download.body, download.url, charset=download.charset)
    content = make_urls_absolute(text, download.url)
    article = extract_article(content, download.url, selector=selector, search=True)
    _check_has_post(content, article, where)
    url = _choose_url(article.canonical_url, download.url)
    hero = _find_hero(article, download.url)
    headings = (
        block.text for block in outline_html(article.html).blocks if block.tag in _HEADING_TAGS
    )
    return SourcePost(
        title=article.title or next(headings, ""),
        content=content,
        post_id=url,
        url=url,
        slug=_get_slug(url),
        date=_parse_date(article),
        author=article.author,
        tags=article.tags,
        language=article.language if re.fullmatch(LANGUAGE_TAG_PATTERN, article.language) else "",
        hero=hero,
        hero_alt=article.image_alt if hero else "",
        is_page=True,
        notes=(SettingNote("hero", f"{hero} (from the page's metadata)"),) if hero else (),
    )


def find_feeds(html: str, base_url: str) -> tuple[FeedLink, ...]:
    """Return the feeds that a page links to in its head, each once; those of comments last.

    Args:
        html: the page.
        base_url: its URL, for relative links; its ``<base>`` counts.
    """
    feeds: dict[str, FeedLink] = {}
    for tag in iter_html_tags(make_urls_absolute(html, base_url)):
        attributes = {} if tag.is_end or tag.name not in {"link", "a"} else tag.attributes
        media_type = attributes.get("type", "").partition(";")[0].strip().lower()
        url = attributes.get("href", "").strip()
        is_alternate = "alternate" in attributes.get("rel", "").lower().split()
        if is_alternate and media_type in _FEED_TYPES and url.startswith(("https://", "http://")):
            title = " ".join(attributes.get("title", "").split())
            feeds.setdefault(url, FeedLink(title, url, media_type))
    return tuple(
        sorted(feeds.values(), key=lambda feed: "comment" in f"{feed.url}{feed.title}".lower())
    )


def _check_has_post(content: str, article: ExtractedArticle, where: Location) -> None:
    tags = list(iter_html_tags(content))
    text = "".join(block.text for block in outline_html(article.html).blocks)
    length = len(text) + (_CJK_WEIGHT - 1) * len(_CJK.findall(text))
    if length < _LITTLE_TEXT and any(map(_is_password_field, tags)):
        raise PostError("the page asks for a login", where=where, remedy=_LOG_IN)
    if not article.is_free:
        raise PostError(
            "the page says that only subscribers can read all of the post",
            where=where,
            remedy=_LOG_IN,
        )
    feeds = find_feeds(content, where.path)
    if _is_list_of_posts(tags, where.path):
        raise PostError(
            "the page lists several posts",
            where=where,
            remedy="Use the URL of one of them"
            + (f", or import its feed: {feeds[0].url}" if feeds else "."),
        )
    has_media = any(tag.name in _MEDIA_TAGS for tag in iter_html_tags(article.html))
    if length < _HARDLY_ANY_TEXT and not has_media:
        made_by_scripts = any(tag.name == "script" for tag in tags)
        raise PostError(
            "the page has no text until its scripts run"
            if made_by_scripts
            else "the page has no text",
            where=where,
            remedy=f"Import its feed, {feeds[0].url}, or save the page in a browser and import "
            "the saved file."
            if feeds
            else _SAVE_IT,
        )


def _is_list_of_posts(tags: Sequence[Tag], page_url: str) -> bool:
    """Return whether a page at a blog's address has articles whose headings link to other pages.

    The address counts, since the page of one post may name others in the same way.
    """
    if not _LIST_PATH.fullmatch(urlsplit(page_url).path):
        return False
    linked, is_heading = list[bool](), False
    for tag in tags:
        if tag.name == "article" and not tag.is_end:
            linked.append(False)
        elif tag.name in _HEADING_TAGS:
            is_heading = not tag.is_end
        elif tag.name == "a" and is_heading and linked and not tag.is_end:
            linked[-1] = True
    return len(linked) >= _MIN_LISTED_POSTS and all(linked)


def _is_password_field(tag: Tag) -> bool:
    return tag.name == "input" and tag.attributes.get("type", "").strip().lower() == "password"


def _choose_url(canonical_url: str, final_url: str) -> str:
    """Return the canonical URL, unless it can't be that of the page: a home page, this machine."""
    try:
        parts = urlsplit(canonical_url)
    except ValueError:
        return final_url
    is_home = parts.path in {"", "/"} and not parts.query
    if not parts.hostname or (is_home and urlsplit(final_url).path != "/"):
        return final_url
    return final_url if is_loopback_url(canonical_url) else canonical_url


def _get_slug(url: str) -> str:
    """Return the last part of a URL's path that is a name."""
    path = PurePosixPath(unquote(urlsplit(url).path))
    names = [part.rpartition(".")[0] or part for part in path.parts if part != "/"]
    names = [name for name in names if name != "index"]
    return names[-1] if names and not names[-1].isdecimal() else ""


def _parse_date(article: ExtractedArticle) -> datetime.datetime | None:
    """Return when the page was published; without a zone, noon UTC of its day."""
    if article.date is None:
        return None
    try:
        published = datetime.datetime.fromisoformat(article.published)
    except ValueError:
        published = None
    if published is not None and published.tzinfo is not None:
        return published
    return datetime.datetime.combine(article.date, datetime.time(12), datetime.UTC)


def _find_hero(article: ExtractedArticle, page_url: str) -> str:
    """Return the URL of the page's main image, unless the article has it already."""
    if not article.image:
        return ""
    try:
        url = urljoin(page_url, article.image)
    except ValueError:
        return ""
    if not url.startswith(("https://", "http://")):
        return ""
    sources = list_image_sources(article.html)
    return "" if any(are_same_images(url, [source]) for source in sources) else url
