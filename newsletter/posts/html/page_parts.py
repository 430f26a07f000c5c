"""Separate and list the parts of a web page around its article."""

import html
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

import lxml.html
from lxml.etree import iterwalk
from lxml.html import HtmlElement

from newsletter.posts.html.find_article import INLINE_TAGS
from newsletter.posts.html.normalize.marked_elements import (
    LINE_ATTRIBUTE,
    REASON_ATTRIBUTE,
    parse_line_mark,
)
from newsletter.posts.html.page.article_place import get_tag_numbers
from newsletter.posts.removed_line import RemovedLine

OUTSIDE = "outside the article"

_UNLISTED_TAGS = frozenset({"script", "style"})
_URL_ATTRIBUTES = ("href", "src", "poster", "data-href", "data-url", "data")
_SOURCE_SETS = ("srcset", "data-srcset", "data-lazy-srcset")


class RemovedPart(NamedTuple):
    """What was removed from an article, and the numbers of its start tags, if it has them."""

    entry: RemovedLine
    numbers: tuple[int, int] | None


class Surroundings(NamedTuple):
    """What is on a page beside its article: HTML that is kept nevertheless, and the rest."""

    before: str = ""
    after: str = ""
    removed: tuple[RemovedLine, ...] = ()


def split_surroundings(
    root: HtmlElement,
    article: HtmlElement,
    keep: Collection[int],
    resolve_urls: Callable[[HtmlElement], None],
) -> Surroundings:
    """Return the parts of the page beside its article, and beside the elements around it.

    Args:
        root: the page.
        article: the element with its article.
        keep: lines of the source on which a part begins that is kept.
        resolve_urls: makes the URLs of a part that is kept absolute.
    """
    before, after = "", ""
    removed: list[RemovedLine] = []
    inner = article
    for ancestor in article.iterancestors():
        if ancestor is root:
            break
        html_by_side = {True: "", False: ""}  # whether it is before the inner element -> HTML
        is_before = True
        for part in (ancestor, *ancestor):
            is_before = is_before and part is not inner
            loose_text = ancestor.text if part is ancestor else part.tail
            is_whole = part is not ancestor and part is not inner
            entry = _list_part(part if is_whole else None, _get_line(part), OUTSIDE, loose_text)
            if entry and entry.line in keep:
                if is_whole:
                    resolve_urls(part)
                html_by_side[is_before] += (
                    lxml.html.tostring(part, encoding="unicode")
                    if is_whole
                    else html.escape(loose_text or "", quote=False)
                )
            elif entry:
                removed.append(entry)
        before, after = html_by_side[True] + before, after + html_by_side[False]
        inner = ancestor
    return Surroundings(before, after, tuple(removed))


def remove_page_parts(
    article: HtmlElement, unwanted: Collection[str], keep: Collection[int]
) -> tuple[RemovedPart, ...]:
    """Remove elements of these names from an article and return those that show something."""
    removed: list[RemovedPart] = []
    for element in list(article.iter(*unwanted)):
        if element is article or article not in element.iterancestors():
            continue
        if element.tag not in _UNLISTED_TAGS:
            line = _get_line(element)
            if line in keep:
                continue
            if entry := _list_part(element, line, f"<{element.tag}> of the page"):
                removed.append(RemovedPart(entry, get_tag_numbers(element)))
        element.drop_tree()
    for part in article.iter():
        if REASON_ATTRIBUTE not in part.attrib:
            part.attrib.pop(LINE_ATTRIBUTE, None)
    return tuple(removed)


def _get_line(element: HtmlElement) -> int:
    return parse_line_mark(element.get(LINE_ATTRIBUTE) or "") or element.sourceline or 0


def _list_part(
    element: HtmlElement | None, line: int, why: str, loose_text: str | None = ""
) -> RemovedLine | None:
    """Return the text, the links and the images of a part; ``None`` if it has none of them.

    A URL is listed as often as the part has it: what is lost is found by counting.
    """
    texts: list[str] = []
    urls: list[str] = []
    for text, found in () if element is None else _iter_content(element):
        texts.append(text)
        urls += dict.fromkeys(found)
    listed = " ".join(("".join(texts), loose_text or "", *urls)).split()
    return RemovedLine(line, " ".join(listed), why) if listed else None


def _iter_content(element: HtmlElement) -> Iterator[tuple[str, list[str]]]:
    """Yield each piece of text, alternative text included, with the URLs beside it."""
    walker = iterwalk(element, events=("start", "end"))
    for event, part in walker:
        if not isinstance(part.tag, str):
            continue
        gap = "" if part.tag in INLINE_TAGS and part.tag != "br" else " "
        if event == "end":
            yield gap + ((part.tail or "") if part is not element else ""), []
        elif part.tag in _UNLISTED_TAGS:
            walker.skip_subtree()
        else:
            yield f"{gap}{part.get('alt') or ''}{gap}{part.text or ''}", list(_iter_urls(part))


def _iter_urls(element: HtmlElement) -> Iterator[str]:
    for name, value in element.attrib.items():
        if name in _URL_ATTRIBUTES or name.endswith("-src"):
            yield value.strip()
        elif name in _SOURCE_SETS:
            candidates = (part.split() for part in value.split(", "))
            yield from (words[0].rstrip(",") for words in candidates if words)
