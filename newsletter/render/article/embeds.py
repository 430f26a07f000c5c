"""Replace embeds (video, audio, iframes) by cards with a link.

Kinds must differ without colour and without images: each card says what it leads to, in the
language of the issue, after a glyph that screen readers skip. The glyphs have no emoji form.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from newsletter.posts.post import LocalImage
from newsletter.posts.stills import make_drawn_name
from newsletter.render.article.dom import (
    Element,
    append_child,
    drop_element,
    get_classes,
    get_visible_text,
    is_blank,
    replace_element,
)
from newsletter.render.article.links import get_host, get_parameter

# Blockquotes that a social network's script would turn into an embedded post.
_POST_EMBED_CLASSES = frozenset(
    """
    twitter-tweet twitter-video instagram-media tiktok-embed mastodon-embed bluesky-embed
    text-post-media fb-post reddit-embed-bq
    """.split()
)
KIND_CLASS = "embed-kind"
_EMBED_TAGS = ("iframe", "video", "audio")
_API_HOSTS = frozenset({"api.soundcloud.com"})
_PHRASING_PARENTS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})


EmbedKind = Literal["video", "audio", "page"]
_GLYPHS: dict[EmbedKind, str] = {
    "video": "\N{BLACK RIGHT-POINTING POINTER}",
    "audio": "\N{EIGHTH NOTE}",
    "page": "\N{SQUARE WITH HORIZONTAL FILL}",
}


class EmbedPage(NamedTuple):
    """The public page of an embed.

    Attributes:
        url: its URL.
        kind: what readers find there.
        still_url: the URL of a still image of it, or empty.
        still_size: the still's size in CSS pixels, if known.
    """

    url: str
    kind: EmbedKind
    still_url: str = ""
    still_size: tuple[int, int] | None = None


def replace_embeds(
    root: Element, images: Mapping[str, LocalImage], words: Mapping[str, str]
) -> list[str]:
    """Replace every embed of the article by a card; return notes for the editor.

    Args:
        root: the article.
        images: the issue's images (``Post.images``), among them the stills with a play sign.
        words: those of the group ``article``: kind -> its name in the issue's language.
    """
    notes: list[str] = []
    cards: list[tuple[Element, Element]] = []
    for element in list(root.iter(*_EMBED_TAGS)):
        src = _find_source(element)
        if not src:
            drop_element(element)
            notes.append(f"<{element.tag}> without a URL was left out")
            continue
        page = _find_page(element, src, images)
        if (still := images.get(page.still_url)) and still.still_problem:
            notes.append(f"{still.name} has no play sign: {still.still_problem}")
        title = " ".join((element.get("title") or "").split()) or _take_caption(element)
        card = _build_card(element, title or get_host(page.url) or src, page, words[page.kind])
        cards.append((element, card))
        notes.append(f"<{element.tag}> became a card: {title or 'no title'}, {page.url}")
    for element, card in reversed(cards):  # so that the cards of one paragraph keep their order
        _insert_card(element, card)
    for quote in list(root.iter("blockquote")):
        if _POST_EMBED_CLASSES.intersection(get_classes(quote)) and (
            link := _find_permalink(quote)
        ):
            _build_quote_card(quote, link)
            notes.append(f"an embedded post became a card: {link}")
    return notes


def _find_page(element: Element, src: str, images: Mapping[str, LocalImage]) -> EmbedPage:
    if element.tag == "audio":
        return EmbedPage(src, "audio")
    page = _find_frame_page(element, src) if element.tag == "iframe" else EmbedPage(src, "video")
    if poster := element.get("poster", ""):
        return page._replace(still_url=_find_still(poster, images), still_size=None)
    return page


def _find_frame_page(frame: Element, src: str) -> EmbedPage:
    """Return the page of a frame; the author's own link in it, if the service is unknown."""
    page = find_embed_page(src)
    own_url = (frame.get("data-href") or "").strip()
    is_known = page.url != src and get_host(page.url) not in _API_HOSTS
    return page._replace(url=own_url) if own_url and not is_known else page


def _find_still(poster: str, images: Mapping[str, LocalImage]) -> str:
    """Return the still of a video with a play sign; without one if there is no such image."""
    still = images.get(poster)
    drawn_name = make_drawn_name(still.name) if still and not still.still_problem else ""
    return drawn_name if drawn_name in images else poster


def _take_caption(element: Element) -> str:
    """Return the caption of an embed's figure, as its title; a plain caption moves there."""
    figure = next(element.iterancestors("figure"), None)
    caption = None if figure is None else next(figure.iter("figcaption"), None)
    if figure is None or caption is None or len(list(figure.iter(*_EMBED_TAGS))) > 1:
        return ""
    title = " ".join(get_visible_text(caption).split())
    if len(caption) == 0:
        drop_element(caption)
    return title


def find_embed_page(src: str) -> EmbedPage:
    """Return the public page of an iframe; its own URL if the service is unknown."""
    for pattern, page in _SERVICES:
        if found := pattern.match(src):
            return page(found)
    return EmbedPage(src, "page")


def _make_youtube_page(found: re.Match[str]) -> EmbedPage:
    src, video_id = found[0], found["id"]
    playlist = get_parameter(src, "list")
    if video_id == "videoseries" and playlist:
        return EmbedPage(f"https://www.youtube.com/playlist?list={playlist}", "video")
    start = get_parameter(src, "start")
    timestamp = f"&t={start}s" if start.isdecimal() else ""
    return EmbedPage(
        f"https://www.youtube.com/watch?v={video_id}{timestamp}",
        "video",
        f"https://i.ytimg.com/vi/{video_id}/hqdefault.jpg",
        (480, 360),  # of every "hqdefault" (YouTube Data API, "thumbnails")
    )


def _make_vimeo_page(found: re.Match[str]) -> EmbedPage:
    key = get_parameter(found[0], "h")  # the key of an unlisted video
    return EmbedPage(f"https://vimeo.com/{found['id']}" + (f"/{key}" if key else ""), "video")


def _make_soundcloud_page(found: re.Match[str]) -> EmbedPage:
    track = get_parameter(found[0], "url")
    return EmbedPage(track if track.startswith("https://") else found[0], "audio")


_SERVICES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], EmbedPage]], ...] = tuple(
    (re.compile(rf"(?:https?:)?//(?:www\.)?{pattern}.*", re.IGNORECASE | re.DOTALL), page)
    for pattern, page in (
        (
            r"(?:m\.)?youtube(?:-nocookie)?\.com/(?:embed|shorts|live|v)/(?P<id>[\w-]+)",
            _make_youtube_page,
        ),
        (r"(?:m\.)?youtube\.com/watch\?(?:[^#]*&)?v=(?P<id>[\w-]+)", _make_youtube_page),
        (r"youtu\.be/(?P<id>[\w-]+)", _make_youtube_page),
        (r"player\.vimeo\.com/video/(?P<id>\d+)", _make_vimeo_page),
        (r"w\.soundcloud\.com/player", _make_soundcloud_page),
        (
            r"open\.spotify\.com/embed(?:-podcast)?/(?P<id>\w+/\w+)",
            lambda found: EmbedPage(f"https://open.spotify.com/{found['id']}", "audio"),
        ),
        (
            r"dailymotion\.com/embed/video/(?P<id>\w+)",
            lambda found: EmbedPage(f"https://www.dailymotion.com/video/{found['id']}", "video"),
        ),
        (
            r"embed\.(?P<id>(?:music|podcasts)\.apple\.com/[^?#]+)",
            lambda found: EmbedPage(f"https://{found['id']}", "audio"),
        ),
    )
)


def _find_source(element: Element) -> str:
    sources = (element, *element.iter("source"))
    return next((src.strip() for e in sources if not is_blank(src := e.get("src") or "")), "")


def _build_card(element: Element, title: str, page: EmbedPage, kind_name: str) -> Element:
    card = append_child(element.makeelement("div"), "div", class_="embed")
    if page.still_url:
        picture = append_child(card, "a", href=page.url, class_="embed-picture")
        still = append_child(picture, "img", src=page.still_url, alt=title)
        for name, size in zip(("width", "height"), page.still_size or (), strict=False):
            still.set(name, str(size))
    paragraph = append_child(card, "p", class_="embed-title")
    append_child(paragraph, "a", title, href=page.url)
    line = append_child(card, "p", class_="embed-host")
    glyph = append_child(line, "span", _GLYPHS[page.kind], class_="embed-glyph")
    glyph.set("aria-hidden", "true")
    glyph.tail = "\N{NO-BREAK SPACE}"
    kind = append_child(line, "span", kind_name, class_=KIND_CLASS)
    if (host := get_host(page.url)) and host != title:
        kind.tail = f" \N{MIDDLE DOT} {host}"
    return card


def _find_permalink(quote: Element) -> str:
    links = [a.get("href") or "" for a in quote.iter("a")]
    return next((url for url in (quote.get("cite") or "", *reversed(links)) if "//" in url), "")


def _build_quote_card(quote: Element, url: str) -> None:
    """Wrap a quoted post into a card; the link to its source becomes the card's title."""
    card = append_child(quote.makeelement("div"), "div", class_="embed")
    replace_element(quote, card)
    card.append(quote)
    quote.attrib.clear()
    paragraph = append_child(card, "p", class_="embed-title")
    append_child(paragraph, "a", get_host(url) or url, href=url)


def _insert_card(element: Element, card: Element) -> None:
    """Put a card in the place of its element; after the paragraph if it was in one."""
    paragraph = next((e for e in element.iterancestors() if e.tag in _PHRASING_PARENTS), None)
    if paragraph is None:
        replace_element(element, card)
        return
    drop_element(element)
    card.tail, paragraph.tail = paragraph.tail, None
    paragraph.addnext(card)
    if is_blank(get_visible_text(paragraph)) and len(paragraph) == 0:
        drop_element(paragraph)
