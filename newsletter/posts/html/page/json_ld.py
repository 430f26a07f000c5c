"""Read the article that a page describes in JSON-LD (schema.org). Pure."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lxml.html import HtmlElement

_ARTICLE_TYPES = re.compile(r"(?:Article|Posting|Report)$")
_WRAPPER = re.compile(
    r"^\s*(?:<!--|(?://|/\*)\s*<!\[CDATA\[(?:\s*\*/)?)|(?:-->|[/*\s]*\]\]>[\s*/]*)\s*$"
)
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")
_MAX_DEPTH = 8  # of lists, graphs and pages that hold an article


@dataclass(frozen=True, slots=True)
class JsonLdArticle:
    """What a page says about its article; what it doesn't say is empty.

    Attributes:
        headline: plain text; likewise the rest.
        authors: their names.
        description: as search engines show it.
        published: when, as written.
        image: URL of its main image, as written.
        keywords: its tags.
        is_free: whether all can read it (``isAccessibleForFree``).
    """

    headline: str = ""
    authors: tuple[str, ...] = ()
    description: str = ""
    published: str = ""
    image: str = ""
    keywords: tuple[str, ...] = ()
    is_free: bool = True


def find_json_ld_article(root: HtmlElement) -> JsonLdArticle:
    """Return the page's first article in JSON-LD; empty if there is none that can be read."""
    objects = [
        json_object
        for script in root.iter("script")
        if (script.get("type") or "").strip().lower() == "application/ld+json"
        for json_object in _iter_objects(_parse(script.text or ""), _MAX_DEPTH)
    ]
    by_id = {
        str(json_object["@id"]): json_object
        for json_object in objects
        if "@id" in json_object and len(json_object) > 1
    }
    article = next(filter(_is_article, objects), None)
    if article is None:
        return JsonLdArticle()
    return JsonLdArticle(
        headline=_clean(article.get("headline")) or _clean(article.get("name")),
        authors=tuple(_list_texts(article.get("author"), "name", by_id)),
        description=_clean(article.get("description")),
        published=_clean(article.get("datePublished")),
        image=next(_list_texts(article.get("image"), "url", by_id), ""),
        keywords=tuple(_split_keywords(article.get("keywords"))),
        is_free=str(article.get("isAccessibleForFree", True)).lower() != "false",
    )


def _parse(text: str) -> object:
    """Return the value of JSON that may have a wrapper, line breaks in strings, extra commas."""
    plain = _WRAPPER.sub("", text).strip().rstrip(";")
    for candidate in (plain, _TRAILING_COMMA.sub("", plain)):
        try:
            return json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
    return None


def _iter_objects(data: object, depth: int) -> Iterator[Mapping[str, Any]]:
    if not depth:
        return
    if isinstance(data, list):
        for item in data:
            yield from _iter_objects(item, depth - 1)
    elif isinstance(data, dict):
        yield data
        for key in ("@graph", "mainEntity"):
            yield from _iter_objects(data.get(key), depth - 1)


def _is_article(json_object: Mapping[str, Any]) -> bool:
    types = json_object.get("@type")
    return any(
        isinstance(name, str) and _ARTICLE_TYPES.search(name)
        for name in (types if isinstance(types, list) else [types])
    )


def _list_texts(value: object, key: str, by_id: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield the texts of a text, an object with ``key``, a reference to one, or a list of them."""
    for item in value if isinstance(value, list) else [value]:
        found = item
        if isinstance(item, dict):
            known = item if key in item else by_id.get(str(item.get("@id")), {})
            found = known.get(key)
            found = found[0] if isinstance(found, list) and found else found
        if text := _clean(found):
            yield text


def _split_keywords(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        yield from filter(None, (part.strip() for part in _clean(item).split(",")))


def _clean(value: object) -> str:
    return " ".join(html.unescape(value).split()) if isinstance(value, str) else ""
