"""Render the cards of Ghost's editors as our blocks.

Source: the nodes of github.com/TryGhost/Koenig, packages/kg-default-nodes and kg-default-cards.
"""

import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from newsletter.posts.html.markdown import render_markdown
from newsletter.posts.html.normalize.marked_elements import describe_content
from newsletter.posts.importing.settings.notes import SettingNote
from newsletter.posts.importing.sources.blocks.format_blocks import (
    format_button,
    format_callout,
    format_code,
    format_details,
    format_figure,
    format_file,
    format_gallery,
    format_image_block,
    format_link_card,
    format_paragraph,
    format_picture,
    format_player,
    format_rating,
    format_sponsor,
)
from newsletter.posts.removed_line import RemovedLine

Payload = Mapping[str, Any]

SIGNUP_REASON = "sign-up form of the site"
PAYWALL_NOTE = SettingNote("paywall", "what is below the paywall is in the issue, too")
EMAIL_CARDS = frozenset({"email", "email-cta"})
_OTHER_NAMES = {
    "card-markdown": "markdown", "code": "codeblock", "hr": "horizontalrule",
    "extended-image": "image", "nft": "embed",
}  # fmt: skip
_WORD_KEYS = frozenset(
    """
    alt caption content description header heading html label markdown name subheader subtitle
    summary text title
    """.split()
)
_URL_KEYS = frozenset({"href", "src", "url"})
_MAX_WORD_DEPTH = 20


@dataclass(slots=True)
class CardRenderer:
    """Render cards; gather what of them is left out or worth a note.

    Attributes:
        removed: what was left out, and why.
        notes: what the editor should know, each once.
        line: 1-based line of HTML on which the card begins; 0 if it has none.
    """

    removed: list[RemovedLine] = field(default_factory=list)
    notes: list[SettingNote] = field(default_factory=list)
    line: int = 0

    def render(self, name: str, payload: Payload) -> str:
        """Return the HTML of a card; of an unknown one, its words, its links and its images."""
        render = _RENDERERS.get(_OTHER_NAMES.get(name, name))
        if render is not None:
            return render(self, payload)
        self.add_note(
            SettingNote(
                "card", f"the card '{name[:40]}' of Ghost is unknown; its words are in the issue"
            )
        )
        return "".join(_iter_unknown_content(payload))

    def add_note(self, note: SettingNote) -> None:
        """Add a note, unless it is there."""
        if note not in self.notes:
            self.notes.append(note)

    def list_removed(self, text: str, why: str) -> None:
        """List what is left out, if it says something."""
        if text.strip():
            self.removed.append(RemovedLine(self.line, " ".join(text.split()), why))


def get_string(payload: Payload, key: str) -> str:
    """Return a value as text; empty if it is missing, or not text."""
    value = payload.get(key)
    return value if isinstance(value, str) else ""


def _get_integer(payload: Payload, key: str) -> int:
    value = payload.get(key)
    return int(value) if isinstance(value, int | float) and abs(value) < 1 << 53 else 0


def _get_payload(payload: Payload, key: str) -> Payload:
    value = payload.get(key)
    return value if isinstance(value, Mapping) else {}


def _get_payloads(payload: Payload, key: str) -> list[Payload]:
    value = payload.get(key)
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _render_image(_: CardRenderer, payload: Payload) -> str:
    return format_image_block(
        get_string(payload, "src"),
        get_string(payload, "alt"),
        get_string(payload, "caption"),
        href=get_string(payload, "href"),
    )


def _render_gallery(_: CardRenderer, payload: Payload) -> str:
    pictures = (
        format_picture(
            get_string(image, "src"), get_string(image, "alt"), href=get_string(image, "href")
        )
        for image in _get_payloads(payload, "images")
    )
    return format_gallery(pictures, get_string(payload, "caption"))


def _render_before_after(_: CardRenderer, payload: Payload) -> str:
    images = (_get_payload(payload, "beforeImage"), _get_payload(payload, "afterImage"))
    pictures = (
        format_picture(get_string(image, "src"), get_string(image, "alt")) for image in images
    )
    return format_gallery(pictures, get_string(payload, "caption"))


def _render_bookmark(cards: CardRenderer, payload: Payload) -> str:
    data = {**payload, **{k: v for k, v in _get_payload(payload, "metadata").items() if v}}
    cards.list_removed(get_string(data, "icon"), "icon of a linked site")
    names = (get_string(data, "publisher"), get_string(data, "author"))
    card = format_link_card(
        get_string(payload, "url") or get_string(data, "url"),
        get_string(data, "title"),
        get_string(data, "description"),
        picture=get_string(data, "thumbnail"),
        byline=" \u00b7 ".join(dict.fromkeys(name for name in names if name)),
    )
    return card + format_paragraph(get_string(payload, "caption"))


def _render_embed(cards: CardRenderer, payload: Payload) -> str:
    if get_string(payload, "type") == "bookmark" or get_string(payload, "embedType") == "bookmark":
        return _render_bookmark(cards, payload)
    content = get_string(payload, "html").strip()
    caption = get_string(payload, "caption")
    if content:
        return format_figure(content, caption)
    data = _get_payload(payload, "metadata")
    card = format_link_card(
        get_string(payload, "url"),
        get_string(data, "title"),
        picture=get_string(data, "thumbnail_url"),
        byline=get_string(data, "author_name"),
    )
    return format_figure(card, caption) if caption else card


def _render_code(_: CardRenderer, payload: Payload) -> str:
    return format_code(
        get_string(payload, "code"), get_string(payload, "language"), get_string(payload, "caption")
    )


def _render_html(_: CardRenderer, payload: Payload) -> str:
    return get_string(payload, "html")


def _render_markdown(_: CardRenderer, payload: Payload) -> str:
    return render_markdown(get_string(payload, "markdown"))


def _render_callout(_: CardRenderer, payload: Payload) -> str:
    return format_callout(get_string(payload, "calloutText"), get_string(payload, "calloutEmoji"))


def _render_toggle(_: CardRenderer, payload: Payload) -> str:
    return format_details(get_string(payload, "heading"), get_string(payload, "content"))


def _render_button(_: CardRenderer, payload: Payload) -> str:
    return format_button(get_string(payload, "buttonText"), get_string(payload, "buttonUrl"))


def _render_product(_: CardRenderer, payload: Payload) -> str:
    title = get_string(payload, "productTitle")
    has_button = payload.get("productButtonEnabled") and get_string(payload, "productButton")
    has_rating = payload.get("productRatingEnabled")
    return "".join((
        format_image_block(get_string(payload, "productImageSrc"), describe_content(title)),
        f"<h4>{title}</h4>" if title else "",
        format_rating(_get_integer(payload, "productStarRating")) if has_rating else "",
        get_string(payload, "productDescription"),
        format_button(get_string(payload, "productButton"), get_string(payload, "productUrl"))
        if has_button
        else "",
    ))  # fmt: skip


def _render_video(_: CardRenderer, payload: Payload) -> str:
    poster = get_string(payload, "customThumbnailSrc") or get_string(payload, "thumbnailSrc")
    return format_player(
        "video",
        get_string(payload, "src"),
        get_string(payload, "fileName"),
        poster=poster,
        caption=get_string(payload, "caption"),
    )


def _render_audio(cards: CardRenderer, payload: Payload) -> str:
    cards.list_removed(get_string(payload, "thumbnailSrc"), "cover of a recording")
    return format_player("audio", get_string(payload, "src"), get_string(payload, "title"))


def _render_file(_: CardRenderer, payload: Payload) -> str:
    name, size = get_string(payload, "fileName"), _get_integer(payload, "fileSize")
    return format_file(
        get_string(payload, "src"),
        get_string(payload, "fileTitle") or name,
        get_string(payload, "fileCaption"),
        details=", ".join(part for part in (name, _format_size(size)) if part),
    )


def _format_size(size: int) -> str:
    if size <= 0:
        return ""
    for unit, factor in (("MB", 1_000_000), ("KB", 1_000)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} bytes"


def _render_header(_: CardRenderer, payload: Payload) -> str:
    header, subheader = get_string(payload, "header"), get_string(payload, "subheader")
    has_button = payload.get("buttonEnabled") and get_string(payload, "buttonText")
    return "".join((
        format_image_block(get_string(payload, "backgroundImageSrc")),
        f"<h2>{header}</h2>" if header else "",
        format_paragraph(subheader),
        format_button(get_string(payload, "buttonText"), get_string(payload, "buttonUrl"))
        if has_button
        else "",
    ))  # fmt: skip


def _render_signup(cards: CardRenderer, payload: Payload) -> str:
    keys = ("header", "subheader", "disclaimer", "buttonText", "backgroundImageSrc")
    text = " ".join(describe_content(get_string(payload, key)) for key in keys)
    cards.list_removed(text, SIGNUP_REASON)
    return ""


def _render_call_to_action(_: CardRenderer, payload: Payload) -> str:
    url = get_string(payload, "buttonUrl")
    has_button = payload.get("showButton", True) and url
    content = "".join((
        format_image_block(get_string(payload, "imageUrl"), href=url),
        get_string(payload, "textValue"),
        format_button(get_string(payload, "buttonText"), url) if has_button else "",
    ))  # fmt: skip
    if not payload.get("hasSponsorLabel", True):
        return content
    label = describe_content(get_string(payload, "sponsorLabel"))
    return format_sponsor(content, "" if label.casefold() in {"sponsored", "sponsor"} else label)


def _render_email(cards: CardRenderer, payload: Payload) -> str:
    if segment := get_string(payload, "segment"):
        cards.add_note(
            SettingNote("segment", f"a part was for readers with {segment[:60]} only; check it")
        )
    content = get_string(payload, "html")
    if "{" in content:
        cards.add_note(
            SettingNote("email", "a name in braces, such as {first_name}, is text; check it")
        )
    has_button = payload.get("showButton") and get_string(payload, "buttonUrl")
    button = format_button(get_string(payload, "buttonText"), get_string(payload, "buttonUrl"))
    return content + (button if has_button else "")


def _render_paywall(cards: CardRenderer, _: Payload) -> str:
    cards.add_note(PAYWALL_NOTE)
    return ""


def _render_transistor(cards: CardRenderer, _: Payload) -> str:
    cards.list_removed("Transistor", "player of a members' podcast")
    return ""


_RENDERERS: Mapping[str, Callable[[CardRenderer, Payload], str]] = {
    "audio": _render_audio,
    "before-after": _render_before_after,
    "bookmark": _render_bookmark,
    "button": _render_button,
    "call-to-action": _render_call_to_action,
    "callout": _render_callout,
    "codeblock": _render_code,
    "email": _render_email,
    "email-cta": _render_email,
    "embed": _render_embed,
    "file": _render_file,
    "gallery": _render_gallery,
    "header": _render_header,
    "horizontalrule": lambda _, __: "<hr>",
    "html": _render_html,
    "image": _render_image,
    "markdown": _render_markdown,
    "paywall": _render_paywall,
    "product": _render_product,
    "signup": _render_signup,
    "toggle": _render_toggle,
    "transistor": _render_transistor,
    "video": _render_video,
    "zwnj": lambda _, __: "",
}
CARD_NAMES = frozenset(_RENDERERS)


def _iter_unknown_content(value: object, key: str = "", depth: int = 0) -> Iterator[str]:
    """Yield as HTML the texts of a card that look like words, its links and its images."""
    if depth > _MAX_WORD_DEPTH:
        return
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _iter_unknown_content(item, str(name), depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from _iter_unknown_content(item, key, depth + 1)
    elif isinstance(value, str) and value.strip():
        lower = key.lower()
        is_url = value.startswith(("https://", "http://", "__GHOST_URL__/", "/"))
        if is_url and (lower in _URL_KEYS or lower.endswith(("url", "src", "href"))):
            is_image = "src" in lower or "image" in lower
            link = f'<a href="{html.escape(value)}">{html.escape(value)}</a>'
            yield format_image_block(value) if is_image else format_paragraph(link)
        elif lower in _WORD_KEYS or any(lower.endswith(word) for word in _WORD_KEYS):
            yield value if "<" in value else format_paragraph(html.escape(value))
