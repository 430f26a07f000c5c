"""Search for the place of an article that no element of its page marks."""

import logging
import re
from collections.abc import Container, Iterator, Mapping
from copy import deepcopy

from lxml.etree import LxmlError
from lxml.html import HtmlElement

_MIN_SHARE = 0.6  # of the text that trafilatura takes, sidebars too: what the element must hold
_WEIGHT = 4.0  # of what is missing, relative to what is too much (F-measure, beta = 2)
_MAX_AROUND = 1.3  # the size of an element with the main heading, relative to the one found in it
_MIN_WORDS = 40  # a page with fewer is an article as a whole
_RUN = 3  # words in a row that are compared; a single one may be anywhere
_WORD = re.compile(r"\w+")
_CONTAINERS = ("div", "section", "article", "main", "td", "center", "form")
_UNREAD_TAGS = frozenset({"script", "style", "noscript", "template"})

Run = tuple[str, ...]


def search_article(root: HtmlElement, body: HtmlElement) -> HtmlElement | None:
    """Return the element that best matches what trafilatura takes as the article.

    Only the place comes from trafilatura: its output has lost lists, captions and code.

    Args:
        root: the page; it stays as it is.
        body: its body.

    Returns:
        ``None`` if there is too little text to decide, or it is spread over the body.
    """
    sizes, matches = _measure(body, set(_iter_runs(_read_article_words(root))))
    total = matches.get(body, 0)
    if total < _MIN_WORDS:
        return None

    def rate(element: HtmlElement) -> float:
        """Return how well an element is the article: what is missing weighs more than the rest."""
        found = matches[element]
        return found / (_WEIGHT * total + sizes[element]) if found >= _MIN_SHARE * total else 0.0

    place = max((body, *filter(matches.get, body.iterdescendants(*_CONTAINERS))), key=rate)
    return None if place is body else _include_heading(place, body, sizes)


def _measure(
    body: HtmlElement, runs: Container[Run]
) -> tuple[dict[HtmlElement, int], dict[HtmlElement, int]]:
    """Return the number of words in each element, and of those that begin one of the runs."""
    sizes: dict[HtmlElement, int] = {}
    matches: dict[HtmlElement, int] = {}
    for element in body.iter():
        if not isinstance(element.tag, str) or element.tag in _UNREAD_TAGS:
            continue
        for text in (element.text, *(child.tail for child in element)):
            words = _WORD.findall(text or "")
            count = sum(run in runs for run in _iter_runs(words))
            for around in (element, *element.iterancestors()) if words else ():
                sizes[around] = sizes.get(around, 0) + len(words)
                matches[around] = matches.get(around, 0) + count
    return sizes, matches


def _include_heading(
    place: HtmlElement, body: HtmlElement, sizes: Mapping[HtmlElement, int]
) -> HtmlElement:
    """Return the element around a place that has the main heading and hardly more text."""
    for around in (place, *place.iterancestors()):
        if around is body or sizes[around] > _MAX_AROUND * sizes[place]:
            break
        if around.find(".//h1") is not None:
            return around
    return place


def _iter_runs(words: list[str]) -> Iterator[Run]:
    return zip(*(words[start:] for start in range(_RUN)), strict=False)


def _read_article_words(root: HtmlElement) -> list[str]:
    """Return the words of what trafilatura takes as the article's text."""
    import trafilatura  # late: it takes a quarter of a second

    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    try:
        text = trafilatura.extract(deepcopy(root), include_comments=False)
    except (LxmlError, ValueError, RecursionError):
        return []
    return _WORD.findall(text or "")
