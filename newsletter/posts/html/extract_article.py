"""Extract the article and its metadata from a web page."""

import html
import re
from collections.abc import Collection
from functools import partial
from urllib.parse import urljoin

import lxml.html
from lxml.etree import LxmlError
from lxml.html import HtmlElement

from newsletter.errors import Location, PostError
from newsletter.posts.extracted_article import ExtractedArticle
from newsletter.posts.html.find_article import find_article
from newsletter.posts.html.nesting_limit import check_nesting_depth
from newsletter.posts.html.normalize.prepare import prepare_html
from newsletter.posts.html.normalize.svg_mathml import replace_svg_and_mathml
from newsletter.posts.html.page.article_place import (
    find_article_place,
    number_start_tags,
    remove_tag_numbers,
)
from newsletter.posts.html.page.metadata import read_metadata
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
_SURROUNDING_TAGS = (*_NEVER_ARTICLE_TAGS, "footer", "aside", "noscript", "dialog")
_NON_ARTICLE_TAGS = (*_SURROUNDING_TAGS, "header")


def extract_article(  # noqa: PLR0913 - where the article may be is told in two ways
    text: str,
    path: str,
    first_line: int = 1,
    *,
    keep: Collection[int] = (),
    selector: str = "",
    search: bool = False,
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
        selector: CSS selector of the article of a whole page, or empty.
        search: whether the article of a whole page is searched for by its text if no element says
            that it is one.

    Raises:
        PostError: the HTML nests too deeply, could not be parsed, or has nothing that matches the
            selector.
    """
    is_page = bool(_PAGE_TAG.search(text))
    numbered = number_start_tags(text) if is_page else text
    prepared = prepare_html(numbered, first_line, keep=keep, keep_scripts=is_page)
    html_text = replace_svg_and_mathml(prepared) if is_page else prepared
    check_nesting_depth(html_text, path)
    if not is_page:
        return ExtractedArticle(html_text)
    parser = lxml.html.HTMLParser(no_network=True, huge_tree=False, remove_comments=True)
    try:
        # The parser takes no text that states an encoding.
        root = lxml.html.document_fromstring(_XML_DECLARATION.sub("", html_text), parser=parser)
    except (LxmlError, ValueError) as error:
        raise PostError(f"could not parse the HTML: {error}", where=Location(path)) from error
    found = find_article(root, selector=selector, search=search)
    article = found.element
    metadata = read_metadata(root, article)  # before its scripts are removed
    resolve_urls = partial(_resolve_urls, _find_base(root, metadata.canonical_url))
    surroundings = split_surroundings(root, article, keep, resolve_urls)
    unwanted: tuple[str, ...] = _NEVER_ARTICLE_TAGS
    if not found.is_marked:
        unwanted = _NON_ARTICLE_TAGS if article.tag in {"html", "body"} else _SURROUNDING_TAGS
    place = find_article_place(text, article)
    parts = remove_page_parts(article, unwanted, keep)
    if place:
        placed = ((*part.numbers, part.entry) for part in parts if part.numbers)
        place = place._replace(removed=tuple(placed))
    remove_tag_numbers(root)
    removed = (*surroundings.removed, *(part.entry for part in parts))
    resolve_urls(article)  # last, as what is removed is listed as the source has it
    inner_html = html.escape(article.text or "", quote=False) + "".join(
        lxml.html.tostring(child, encoding="unicode") for child in article
    )
    return ExtractedArticle(
        html=surroundings.before + inner_html + surroundings.after,
        title=metadata.title,
        author=metadata.author,
        description=metadata.description,
        canonical_url=metadata.canonical_url,
        language=metadata.language,
        tags=metadata.tags,
        date=metadata.date,
        published=metadata.published,
        image=metadata.image,
        image_alt=metadata.image_alt,
        is_free=metadata.is_free,
        removed=removed,
        prose_outside=found.prose_outside,
        place=None if surroundings.before or surroundings.after else place,
    )


def _find_base(root: HtmlElement, page_url: str) -> str:
    """Return the absolute URL that the page's ``<base>`` states; empty if there is none."""
    base = root.find(".//base[@href]")
    base_url = "" if base is None else _join_urls(page_url, (base.get("href") or "").strip())
    return base_url if base_url.lower().startswith(("https://", "http://")) else ""


def _resolve_urls(base_url: str, part: HtmlElement) -> None:
    """Make the relative URLs of a part of the page absolute; links to a place on it stay."""
    for element in part.iter(*_RELATIVE_URLS) if base_url else ():
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
