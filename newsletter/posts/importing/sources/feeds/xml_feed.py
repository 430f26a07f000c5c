"""Parse RSS, RDF, Atom and CDF with feedparser.

It parses raw: its own sanitizer drops iframes and source sets before they can become pictures, and
takes most of the time. It gets no base URL either: with one, it makes URLs of ids that are none.
"""

import calendar
import datetime
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from newsletter.errors import Location, PostError, Problem
from newsletter.posts.importing.source_post import UnreadablePost
from newsletter.posts.importing.sources.feeds.build_post import make_title
from newsletter.posts.importing.sources.feeds.feed_item import (
    FeedInfo,
    FeedItem,
    ItemDate,
    ItemMedia,
    ItemText,
    ParsedFeed,
    TextRole,
    classify_media,
)

_ROOT = re.compile(
    r"\s*(?>(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE\b[^>\[]*(?:\[.*?\]\s*)?>)\s*)*<(?P<name>[\w.:-]+)",
    re.DOTALL | re.IGNORECASE,
)
_INTERNAL_SUBSET = re.compile(r"<!DOCTYPE\b[^<>\[]*\[", re.IGNORECASE)
_ENTITY = re.compile(r"<!ENTITY\b", re.IGNORECASE)
# feedparser looks for a mailbox in each name, in a time that grows with the square of the length.
_LONG_NAME = re.compile(
    r"(?P<start><(?:[\w-]+:)?(?:author|creator|managingeditor|webmaster|publisher|owner)\b[^<>]*>"
    r"(?:\s*<!\[CDATA\[)?[^<]{300})[^<]{700,}",
    re.IGNORECASE,
)
_ITEM_START = re.compile(r"<(?P<name>(?:[\w-]+:)?(?:item|entry))(?=[\s>/])", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^>]*>\s*(?:<!\[CDATA\[)?(?P<text>[^<\]]{1,200})", re.IGNORECASE)
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
# Tags that sort posts for the machine (Blogger).
_MACHINE_SCHEMES = ("http://schemas.google.com/g/2005#kind",)
_OTHER_LINKS = {"related": "related", "via": "its source"}


def parse_xml_feed(text: str, url: str, where: str) -> ParsedFeed:
    """Parse a feed in XML; one that isn't well-formed is read as well as possible.

    Args:
        text: the feed, without control characters.
        url: its address after redirects; empty for a file.
        where: its URL or file, for messages.

    Raises:
        PostError: it declares entities, or can't be read at all.
    """
    import feedparser

    _refuse_entities(text, where)
    text, cut_off = _complete(text, where)
    try:
        parsed = feedparser.parse(
            io.BytesIO(_LONG_NAME.sub(_clip_name, text).encode("utf-8", "replace")),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # its tolerant parser raises whatever it stumbles over
        raise PostError(
            "the feed is damaged and can't be read",
            where=Location(where),
            remedy="Try again later; if it stays so, tell the site's owner.",
        ) from error
    head = parsed.feed
    remarks = (*((_describe_bozo(parsed, text),) if parsed.bozo and not cut_off else ()),)
    is_atom = parsed.version.startswith("atom")
    items = [_convert_entry(entry, is_atom=is_atom) for entry in parsed.entries]
    return ParsedFeed(
        title=make_title(head.get("title", ""), is_html=_is_html(head.get("title_detail"))),
        info=FeedInfo(
            url=url,
            home_page=_find_link(head, "alternate") or _get_text(head, "link"),
            # RSS names an editor in this place, and often only a mailbox.
            author=", ".join(_list_authors(head, is_atom=True)) if is_atom else "",
            language=_get_text(head, "language"),
        ),
        items=(*items, *cut_off),
        next_url=_find_link(head, "next"),
        remarks=remarks,
    )


def find_root_name(text: str) -> str:
    """Return the name of the root element of XML or HTML, without its prefix, in lower case."""
    found = _ROOT.match(text)
    return found["name"].lower().rpartition(":")[2] if found else ""


def _refuse_entities(text: str, where: str) -> None:
    found = _INTERNAL_SUBSET.search(text)
    if found and (entity := _ENTITY.search(text, found.end())):
        raise PostError(
            "the feed declares entities (<!ENTITY); such files can do harm and aren't read",
            where=Location(where, text.count("\n", 0, entity.start()) + 1),
        )


def _clip_name(found: re.Match[str]) -> str:
    return found["start"].partition("]]>")[0] + ("]]>" if "<![CDATA[" in found["start"] else "")


def _complete(text: str, where: str) -> tuple[str, tuple[UnreadablePost, ...]]:
    """Return a feed that was cut off with its ends put back; its last post can't be read."""
    root = _ROOT.match(text)
    if root is None or f"</{root['name']}" in text[root.end() :]:
        return text, ()
    starts = list(_ITEM_START.finditer(text))
    if not starts:
        return text, ()
    last = starts[-1]
    end_tag = f"</{last['name']}>"
    end = text.rfind(end_tag)
    if end > last.start():
        kept, title = text[: end + len(end_tag)], ""
    else:
        kept, found = text[: last.start()], _TITLE.search(text, last.start())
        title = make_title(found["text"], is_html=False) if found else ""
    channel = "</channel>" if root["name"].lower() == "rss" else ""
    problem = Problem(
        "the feed is cut off here; what follows could not be read",
        Location(where, text.count("\n") + 1),
        "Try again later; if it stays so, tell the site's owner.",
    )
    name = title or "(the end of the feed)"
    return f"{kept}{channel}</{root['name']}>", (UnreadablePost(name, problem),)


def _describe_bozo(parsed: Mapping[str, Any], text: str) -> str:
    error = parsed.get("bozo_exception")
    line = getattr(error, "getLineNumber", lambda: None)()
    if line and not text.startswith("<?xml"):
        line -= 1  # feedparser adds the declaration
    place = f" (line {line})" if line else ""
    return f"it isn't well-formed XML{place}; its posts were read as well as possible"


def _convert_entry(entry: Any, *, is_atom: bool) -> FeedItem:
    title_detail = entry.get("title_detail")
    return FeedItem(
        title=_get_text(entry, "title"),
        is_html_title=_is_html(title_detail),
        item_id=_get_text(entry, "id"),
        # FeedBurner's own links only count clicks.
        url=_get_text(entry, "feedburner_origlink")
        or _find_link(entry, "alternate")
        or _get_text(entry, "link"),
        texts=tuple(_list_texts(entry, is_atom=is_atom)),
        published=_get_date(entry, "published") or _get_date(entry, "created"),
        updated=_get_date(entry, "updated"),
        authors=tuple(_list_authors(entry, is_atom=is_atom)),
        tags=tuple(_list_tags(entry)),
        language=next(
            (d["language"] for d in (title_detail,) if d and d.get("language")),
            _get_text(entry, "language"),
        ),
        media=tuple(_list_media(entry)),
        links=tuple(
            (_OTHER_LINKS[link["rel"]], link["href"])
            for link in _list_links(entry)
            if link.get("rel") in _OTHER_LINKS
        ),
    )


def _list_texts(entry: Any, *, is_atom: bool) -> Iterator[ItemText]:
    contents = [detail for detail in entry.get("content") or [] if detail.get("value")]
    for detail in contents:
        if _is_text(detail):
            # RSS has no content in plain text: these are further descriptions.
            is_content = is_atom or _is_html(detail)
            yield _make_text(detail, "content" if is_content else "description")
    summary = entry.get("summary_detail")
    values = {detail["value"] for detail in contents}
    if summary and summary.get("value") and summary["value"] not in values:
        yield _make_text(summary, "summary")


def _make_text(detail: Any, role: TextRole) -> ItemText:
    return ItemText(
        detail["value"],
        is_html=_is_html(detail),
        role=role,
        language=detail.get("language") or "",
        base=detail.get("base") or "",
    )


def _is_text(detail: Any) -> bool:
    kind = detail.get("type") or "text/plain"
    return kind.startswith("text/") or kind in _HTML_TYPES


def _is_html(detail: Any) -> bool:
    return bool(detail) and detail.get("type") in _HTML_TYPES


def _list_authors(entry: Any, *, is_atom: bool) -> Iterator[str]:
    authors = [author for author in entry.get("authors") or () if author]
    stated = _get_text(entry, "author")
    # Of a mailbox with a name, feedparser doesn't know top-level domains of more than 4 letters.
    if len(authors) <= 1 and (not authors or (not is_atom and "@" in stated)):
        yield stated
        return
    for author in authors:
        yield author.get("name") or author.get("email") or ""


def _list_tags(entry: Any) -> Iterator[str]:
    for tag in entry.get("tags") or ():
        if tag.get("scheme") not in _MACHINE_SCHEMES:
            yield tag.get("label") or tag.get("term") or ""


def _list_media(entry: Any) -> Iterator[ItemMedia]:
    for thumbnail in entry.get("media_thumbnail") or ():
        if thumbnail.get("url"):
            yield ItemMedia(thumbnail["url"], "image", is_cover=True)
    for link in _list_links(entry):
        if link.get("rel") == "enclosure":
            kind = classify_media(link.get("type") or "")
            yield ItemMedia(link["href"], kind, link.get("title") or "", is_enclosure=True)
    for content in entry.get("media_content") or ():
        url = content.get("url") or content.get("href")
        if url:
            yield ItemMedia(
                url, classify_media(content.get("type") or "", content.get("medium") or "")
            )
    for content in entry.get("content") or ():
        if content.get("src"):
            kind = classify_media(content.get("type") or "")
            yield ItemMedia(content["src"], kind, is_enclosure=True)
    image = entry.get("image")
    if isinstance(image, Mapping) and image.get("href"):
        yield ItemMedia(image["href"], "image")


def _list_links(entry: Any) -> Iterator[Any]:
    return (link for link in entry.get("links") or () if link.get("href"))


def _find_link(entry: Any, rel: str) -> str:
    """Return the link of this kind, a web page rather than anything else."""
    links = [link for link in _list_links(entry) if link.get("rel") == rel]
    links.sort(key=lambda link: link.get("type") not in _HTML_TYPES)
    return str(links[0]["href"]) if links else ""


def _get_text(entry: Any, key: str) -> str:
    value = dict.get(entry, key)
    return value.strip() if isinstance(value, str) else ""


def _get_date(entry: Any, key: str) -> ItemDate | None:
    # Not entry.get(): feedparser answers with another date, and a warning.
    text, parsed = _get_text(entry, key), dict.get(entry, f"{key}_parsed")
    if not text:
        return None
    try:
        seconds = calendar.timegm(parsed) if parsed else None
        value = None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    except (ValueError, OverflowError, OSError):
        value = None
    return ItemDate(text, value)
