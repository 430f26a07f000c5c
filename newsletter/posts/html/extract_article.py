"""Extract the article and its metadata from a web page."""

import datetime
import html
import json
import re
from collections.abc import Collection, Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import lxml.html
from lxml.etree import LxmlError
from lxml.html import HtmlElement

from newsletter.errors import Location, PostError
from newsletter.posts.extracted_article import ExtractedArticle
from newsletter.posts.html.find_article import find_article
from newsletter.posts.html.nesting_limit import check_nesting_depth
from newsletter.posts.html.normalize.prepare import prepare_html
from newsletter.posts.html.normalize.svg_mathml import replace_svg_and_mathml
from newsletter.posts.html.page_parts import remove_page_parts, split_surroundings
from newsletter.posts.merge_tags.tags import MERGE_TOKEN_PATTERN

_XML_DECLARATION = re.compile(r"<\?xml\b[^>]*>", re.IGNORECASE)
_ABSOLUTE_URL = re.compile(r"[a-z][a-z0-9+.-]*:|//|#|\{\{", re.IGNORECASE)
_RELATIVE_URLS = {
    "a": "href",
    **dict.fromkeys(("img", "iframe", "video", "audio", "source"), "src"),
}
_PAGE_TAG = re.compile(r"<(?:!doctype|html|head|body)\b", re.IGNORECASE)
_NEVER_ARTICLE_TAGS = ("script", "style", "nav")
_NON_ARTICLE_TAGS = (*_NEVER_ARTICLE_TAGS, "header", "footer", "aside", "noscript", "dialog")
_ARTICLE_TYPES = re.compile(r"(?:Article|Posting|Report)$")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def extract_article(
    text: str, path: str, first_line: int = 1, *, keep: Collection[int] = ()
) -> ExtractedArticle:
    """Extract the article and the metadata from HTML.

    In a whole page the article is what ``find_article`` finds; if that is the body, it is taken
    without navigation, headers, footers, asides and scripts. A fragment is returned whole, prepared
    for the sanitiser.

    Args:
        text: HTML, whole page or fragment.
        path: its file, for messages.
        first_line: 1-based line of the source on which it begins.
        keep: lines of the source where nothing is removed.

    Raises:
        PostError: the HTML nests too deeply, or could not be parsed.
    """
    is_page = bool(_PAGE_TAG.search(text))
    prepared = prepare_html(text, first_line, keep=keep, keep_scripts=is_page)
    text = replace_svg_and_mathml(prepared) if is_page else prepared
    check_nesting_depth(text, path)
    if not is_page:
        return ExtractedArticle(text)
    parser = lxml.html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True)
    try:
        # The parser takes no text that states an encoding.
        root = lxml.html.document_fromstring(_XML_DECLARATION.sub("", text), parser=parser)
    except (LxmlError, ValueError) as error:
        raise PostError(f"could not parse the HTML: {error}", where=Location(path)) from error
    json_ld = _find_json_ld_article(root)
    found = find_article(root)
    article = found.element
    _resolve_base(root, _find_canonical_url(root))
    surroundings = split_surroundings(root, article, keep)
    unwanted = _NON_ARTICLE_TAGS if article.tag in {"html", "body"} else _NEVER_ARTICLE_TAGS
    removed = (*surroundings.removed, *remove_page_parts(article, unwanted, keep))
    inner_html = html.escape(article.text or "", quote=False) + "".join(
        lxml.html.tostring(child, encoding="unicode") for child in article
    )
    return ExtractedArticle(
        html=surroundings.before + inner_html + surroundings.after,
        title=_find_title(root, article, json_ld),
        author=_find_author(root, json_ld),
        description=_get_first_meta(root, "og:description", "description"),
        canonical_url=_find_canonical_url(root),
        language=(root.get("lang") or root.get("xml:lang") or "").strip().replace("_", "-"),
        tags=tuple(dict.fromkeys(_get_meta_values(root, "article:tag"))),
        date=_find_date(root, article, json_ld),
        removed=removed,
        prose_outside=found.prose_outside,
    )


def _resolve_base(root: HtmlElement, page_url: str) -> None:
    """Resolve relative URLs as the page's ``<base>`` asks for; links to a place on it stay."""
    base = root.find(".//base[@href]")
    if base is None:
        return
    base_url = _join_urls(page_url, (base.get("href") or "").strip())
    if not base_url.lower().startswith(("https://", "http://")):
        return
    for element in root.iter(*_RELATIVE_URLS):
        name = _RELATIVE_URLS[element.tag]
        url = (element.get(name) or "").strip()
        is_relative = url and not _ABSOLUTE_URL.match(url) and not MERGE_TOKEN_PATTERN.match(url)
        if is_relative:
            element.set(name, _join_urls(base_url, url))


def _join_urls(base_url: str, url: str) -> str:
    try:
        return urljoin(base_url, url)
    except ValueError:  # brackets that don't contain an IPv6 address
        return url


def _find_title(root: HtmlElement, article: HtmlElement, json_ld: dict[str, Any]) -> str:
    headings = [_get_text(heading) for heading in article.iter("h1")]
    if len(headings) == 1 and headings[0]:
        return headings[0]
    meta_title = _get_first_meta(root, "og:title", "twitter:title") or _clean_string(
        json_ld.get("headline")
    )
    if meta_title:
        return meta_title
    title = _collapse_whitespace(root.findtext(".//title") or "")
    if site := _get_first_meta(root, "og:site_name"):
        title = re.sub(rf"\s+[-|–—·:]\s+{re.escape(site)}$", "", title)  # noqa: RUF001
    return title


def _find_author(root: HtmlElement, json_ld: dict[str, Any]) -> str:
    authors = json_ld.get("author")
    json_ld_author = authors[0] if isinstance(authors, list) and authors else authors
    if isinstance(json_ld_author, dict):
        json_ld_author = json_ld_author.get("name")
    author = _get_first_meta(root, "author", "article:author", "dc.creator") or _clean_string(
        json_ld_author
    )
    if author and not _is_url(author):
        return author
    link = root.find(".//a[@rel='author']")
    return "" if link is None else _get_text(link)


def _is_url(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme)
    except ValueError:  # brackets that don't contain an IPv6 address
        return True


def _find_date(
    root: HtmlElement, article: HtmlElement, json_ld: dict[str, Any]
) -> datetime.date | None:
    times = (time.get("datetime") or "" for time in article.iter("time"))
    for value in (
        _get_first_meta(root, "article:published_time", "datepublished", "date", "dc.date"),
        _clean_string(json_ld.get("datePublished")),
        *times,
    ):
        if found := _ISO_DATE.match(value.strip()):
            try:
                return datetime.date.fromisoformat(found[0])
            except ValueError:
                continue
    return None


def _find_canonical_url(root: HtmlElement) -> str:
    link = root.find(".//link[@rel='canonical']")
    href = (link.get("href") or "") if link is not None else ""
    urls = (href.strip(), _get_first_meta(root, "og:url").strip())
    return next((url for url in urls if url.startswith(("https://", "http://"))), "")


def _find_json_ld_article(root: HtmlElement) -> dict[str, Any]:
    """Return the page's first article in JSON-LD (schema.org); empty if there is none."""
    for script in root.iter("script"):
        if script.get("type") == "application/ld+json":
            try:
                data = json.loads(script.text or "")
            except (ValueError, RecursionError):
                continue
            for json_object in _iter_json_ld_objects(data):
                json_type = json_object.get("@type")
                json_types = json_type if isinstance(json_type, list) else [json_type]
                if any(
                    isinstance(type_name, str) and _ARTICLE_TYPES.search(type_name)
                    for type_name in json_types
                ):
                    return json_object
    return {}


def _iter_json_ld_objects(data: object) -> Iterator[dict[str, Any]]:
    if isinstance(data, list):
        yield from (json_object for json_object in data if isinstance(json_object, dict))
    elif isinstance(data, dict):
        yield data
        yield from _iter_json_ld_objects(data.get("@graph", []))


def _get_meta_values(root: HtmlElement, name: str) -> list[str]:
    return [
        _collapse_whitespace(meta.get("content") or "")
        for meta in root.iter("meta")
        if (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").lower() == name
    ]


def _get_first_meta(root: HtmlElement, *names: str) -> str:
    return next((value for name in names for value in _get_meta_values(root, name) if value), "")


def _clean_string(value: object) -> str:
    return _collapse_whitespace(value) if isinstance(value, str) else ""


def _get_text(element: HtmlElement) -> str:
    return _collapse_whitespace(str(element.text_content()))


def _collapse_whitespace(text: str) -> str:
    return " ".join(text.split())
