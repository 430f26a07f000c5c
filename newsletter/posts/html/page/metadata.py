"""Read the metadata of a web page: title, author, date, main image. Pure.

In this order: JSON-LD, Open Graph, ``<meta>``, elements of the page. Only the title is first of all
the one heading that the article has: there a page's own words differ from those for search engines.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from newsletter.posts.html.page.json_ld import JsonLdArticle, find_json_ld_article

_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_AUTHOR_SEPARATOR = ", "
# Images that stand for the site, not for the article.
_SITE_IMAGE = re.compile(
    r"(?:^|[/_.-])(?:logos?|icon|favicon|apple-touch-icon|avatar|gravatar|default|placeholder"
    r"|og-?default|site-?(?:image|card))(?:[/_.-]|$)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class PageMetadata:
    """What a page says about its article; fields that it doesn't have are empty.

    Attributes:
        title: plain text; likewise the rest.
        author: names, separated by commas.
        description: as search engines show it.
        canonical_url: absolute http(s) URL.
        language: as the page states it, with hyphens.
        tags: the article's tags.
        published: publication date and time, as written.
        date: publication date, in the time zone that the page uses.
        image: URL of its main image, as written; none that stands for the site.
        image_alt: the image's alternative text.
        is_free: whether all can read it; otherwise the page shows only a part.
    """

    title: str = ""
    author: str = ""
    description: str = ""
    canonical_url: str = ""
    language: str = ""
    tags: tuple[str, ...] = ()
    published: str = ""
    date: datetime.date | None = None
    image: str = ""
    image_alt: str = ""
    is_free: bool = True


def read_metadata(root: HtmlElement, article: HtmlElement) -> PageMetadata:
    """Return the metadata of a page.

    Args:
        root: the page, with its scripts.
        article: the element with its article.
    """
    json_ld = find_json_ld_article(root)
    published = next(_iter_dates(root, article, json_ld), ("", None))
    image = json_ld.image or _get_first_meta(root, "og:image", "og:image:url", "twitter:image")
    og_image = _get_first_meta(root, "og:image", "og:image:url")
    has_site_image = _SITE_IMAGE.search(_get_path(image)) is not None
    return PageMetadata(
        title=_find_title(root, article, json_ld),
        author=_find_author(root, json_ld),
        description=json_ld.description or _get_first_meta(root, "og:description", "description"),
        canonical_url=find_canonical_url(root),
        language=(root.get("lang") or root.get("xml:lang") or "").strip().replace("_", "-"),
        tags=tuple(dict.fromkeys(_get_meta_values(root, "article:tag"))) or json_ld.keywords,
        published=published[0],
        date=published[1],
        image="" if has_site_image else image,
        image_alt=_get_first_meta(root, "og:image:alt") if image == og_image else "",
        is_free=json_ld.is_free,
    )


def find_canonical_url(root: HtmlElement) -> str:
    """Return the URL that the page calls its own; empty if it is not an absolute one."""
    link = root.find(".//link[@rel='canonical']")
    href = (link.get("href") or "") if link is not None else ""
    urls = (href.strip(), _get_first_meta(root, "og:url").strip())
    return next((url for url in urls if url.startswith(("https://", "http://"))), "")


def _find_title(root: HtmlElement, article: HtmlElement, json_ld: JsonLdArticle) -> str:
    headings = [_get_text(heading) for heading in article.iter("h1")]
    if len(headings) == 1 and headings[0]:
        return headings[0]
    site = _get_first_meta(root, "og:site_name")
    page_headings = [_get_text(heading) for heading in root.iter("h1")]
    for title in (
        json_ld.headline,
        _get_first_meta(root, "og:title", "twitter:title"),
        page_headings[0] if len(page_headings) == 1 and page_headings[0] != site else "",
        _collapse_whitespace(root.findtext(".//title") or ""),
    ):
        if title:
            # Not \s+ in front: a title may be nothing but spaces and dashes.
            suffix = rf" [-|–—·:•] {re.escape(site)}$"  # noqa: RUF001
            return re.sub(suffix, "", title).strip() if site else title
    return ""


def _find_author(root: HtmlElement, json_ld: JsonLdArticle) -> str:
    names = [name for name in dict.fromkeys(json_ld.authors) if not _is_url(name)]
    if names:
        return _AUTHOR_SEPARATOR.join(names)
    author = _get_first_meta(root, "author", "article:author", "dc.creator")
    if author and not _is_url(author):
        return author
    link = root.find(".//a[@rel='author']")
    return "" if link is None else _get_text(link)


def _is_url(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme)
    except ValueError:  # brackets that don't contain an IPv6 address
        return True


def _iter_dates(
    root: HtmlElement, article: HtmlElement, json_ld: JsonLdArticle
) -> Iterator[tuple[str, datetime.date | None]]:
    """Yield each publication date, as written and parsed."""
    times = (time.get("datetime") or "" for time in article.iter("time"))
    for value in (
        json_ld.published,
        _get_first_meta(root, "article:published_time", "datepublished", "date", "dc.date"),
        *times,
    ):
        if found := _ISO_DATE.match(value.strip()):
            try:
                yield value.strip(), datetime.date.fromisoformat(found[0])
            except ValueError:
                continue


def _get_path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return url


def _get_meta_values(root: HtmlElement, name: str) -> list[str]:
    return [
        _collapse_whitespace(meta.get("content") or "")
        for meta in root.iter("meta")
        if (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").lower() == name
    ]


def _get_first_meta(root: HtmlElement, *names: str) -> str:
    return next((value for name in names for value in _get_meta_values(root, name) if value), "")


def _get_text(element: HtmlElement) -> str:
    return _collapse_whitespace(str(element.text_content()))


def _collapse_whitespace(text: str) -> str:
    return " ".join(text.split())
