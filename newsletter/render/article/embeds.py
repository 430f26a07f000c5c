"""What a mail can't play (videos, sounds, pages in frames) becomes a card with a link to it."""

import re
from collections.abc import Callable
from typing import NamedTuple

from newsletter.render.article.dom import (
    Element,
    blank,
    child,
    classes,
    drop,
    replace,
    visible_text,
)
from newsletter.render.article.links import host, parameter

# Blockquotes that a script would have turned into a post of that service.
_POSTS = frozenset(
    """
    twitter-tweet twitter-video instagram-media tiktok-embed mastodon-embed bluesky-embed
    text-post-media fb-post reddit-embed-bq
    """.split()  # noqa: SIM905 - a list of words reads best as words
)
_PHRASING = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})


class Page(NamedTuple):
    """Where a frame's content can be watched, and a still of it."""

    url: str
    still: str = ""


def set_embeds(root: Element) -> list[str]:
    """Replace every embed of the article by a card; returns notes for the editor."""
    notes: list[str] = []
    cards: list[tuple[Element, Element]] = []
    for element in list(root.iter("iframe", "video", "audio")):
        src = _source(element)
        if not src:
            drop(element)
            notes.append(f"<{element.tag}> without an address was left out")
            continue
        page = watch_page(src) if element.tag == "iframe" else Page(src, element.get("poster", ""))
        title = " ".join((element.get("title") or element.get("aria-label") or "").split())
        cards.append((element, _card(element, title or host(page.url) or src, page)))
        notes.append(f"<{element.tag}> became a card: {title or 'no title'}, {page.url}")
    for element, card in reversed(cards):  # so that those of one paragraph keep their order
        _place(element, card)
    for quote in list(root.iter("blockquote")):
        if _POSTS.intersection(classes(quote)) and (link := _permalink(quote)):
            _quote_card(quote, link)
            notes.append(f"an embedded post became a card: {link}")
    return notes


def watch_page(src: str) -> Page:
    """The public page of what a frame shows; the frame's own address where none is known."""
    for pattern, page in _SERVICES:
        if found := pattern.match(src):
            return page(found)
    return Page(src)


def _youtube(found: re.Match[str]) -> Page:
    src, video = found[0], found["id"]
    playlist = parameter(src, "list")
    if video == "videoseries" and playlist:
        return Page(f"https://www.youtube.com/playlist?list={playlist}")
    start = parameter(src, "start")
    at = f"&t={start}s" if start.isdecimal() else ""
    return Page(
        f"https://www.youtube.com/watch?v={video}{at}",
        f"https://i.ytimg.com/vi/{video}/hqdefault.jpg",
    )


def _vimeo(found: re.Match[str]) -> Page:
    private = parameter(found[0], "h")  # an unlisted video's own key
    return Page(f"https://vimeo.com/{found['id']}" + (f"/{private}" if private else ""))


def _soundcloud(found: re.Match[str]) -> Page:
    track = parameter(found[0], "url")
    return Page(track if track.startswith("https://") else found[0])


_SERVICES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Page]], ...] = tuple(
    (re.compile(rf"(?:https?:)?//(?:www\.)?{pattern}.*", re.IGNORECASE | re.DOTALL), page)
    for pattern, page in (
        (r"(?:m\.)?youtube(?:-nocookie)?\.com/(?:embed|shorts|live|v)/(?P<id>[\w-]+)", _youtube),
        (r"(?:m\.)?youtube\.com/watch\?(?:[^#]*&)?v=(?P<id>[\w-]+)", _youtube),
        (r"youtu\.be/(?P<id>[\w-]+)", _youtube),
        (r"player\.vimeo\.com/video/(?P<id>\d+)", _vimeo),
        (r"w\.soundcloud\.com/player", _soundcloud),
        (
            r"open\.spotify\.com/embed(?:-podcast)?/(?P<id>\w+/\w+)",
            lambda found: Page(f"https://open.spotify.com/{found['id']}"),
        ),
        (
            r"dailymotion\.com/embed/video/(?P<id>\w+)",
            lambda found: Page(f"https://www.dailymotion.com/video/{found['id']}"),
        ),
        (
            r"embed\.(?P<id>(?:music|podcasts)\.apple\.com/[^?#]+)",
            lambda found: Page(f"https://{found['id']}"),
        ),
    )
)


def _source(element: Element) -> str:
    sources = (element, *element.iter("source"))
    return next((src.strip() for e in sources if not blank(src := e.get("src") or "")), "")


def _card(element: Element, title: str, page: Page) -> Element:
    card = child(element.makeelement("div"), "div", class_="embed")
    if page.still:
        picture = child(card, "a", href=page.url, class_="embed-picture")
        child(picture, "img", src=page.still, alt=title)
    line = child(card, "p", class_="embed-title")
    child(line, "a", title, href=page.url)
    if (name := host(page.url)) and name != title:
        child(card, "p", name, class_="embed-host")
    return card


def _permalink(quote: Element) -> str:
    links = [a.get("href") or "" for a in quote.iter("a")]
    return next((url for url in (quote.get("cite") or "", *reversed(links)) if "//" in url), "")


def _quote_card(quote: Element, url: str) -> None:
    """The quoted words stay; their source becomes the card's title."""
    card = child(quote.makeelement("div"), "div", class_="embed")
    replace(quote, card)
    card.append(quote)
    quote.attrib.clear()
    line = child(card, "p", class_="embed-title")
    child(line, "a", host(url) or url, href=url)


def _place(element: Element, card: Element) -> None:
    """Put a card where its element was; after the paragraph if it was in one."""
    outer = next((e for e in element.iterancestors() if e.tag in _PHRASING), None)
    if outer is None:
        replace(element, card)
        return
    drop(element)
    card.tail, outer.tail = outer.tail, None
    outer.addnext(card)
    if blank(visible_text(outer)) and len(outer) == 0:
        drop(outer)
