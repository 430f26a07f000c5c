"""Rewrite the cards in Ghost's rendered HTML as our blocks."""

from collections.abc import Callable, Mapping
from functools import partial

from lxml.html import HtmlElement

from newsletter.posts.importing.sources.blocks.replace_elements import (
    ElementReplacer,
    find_attribute,
    find_by_class,
    get_inner_html,
    get_words,
)
from newsletter.posts.importing.sources.ghost.cards import (
    PAYWALL_NOTE,
    SIGNUP_REASON,
    CardRenderer,
    Payload,
)

_PAYWALL = "<!--members-only-->"
_ALL_STARS = 5


def rewrite_html_cards(text: str, cards: CardRenderer) -> str:
    """Return Ghost's HTML with its cards as our blocks; ``cards`` gathers what is left out."""
    if _PAYWALL in text:
        cards.add_note(PAYWALL_NOTE)
    replacer = ElementReplacer(
        {
            **{
                class_name: partial(_render_card, cards, name, read)
                for class_name, (name, read) in _READERS.items()
            },
            "kg-signup-card": _remove_signup,
        }
    )
    text = replacer.replace(text)
    cards.removed += replacer.removed
    cards.line = 0
    return text


def _render_card(
    cards: CardRenderer,
    name: str,
    read: "PayloadReader",
    replacer: ElementReplacer,
    element: HtmlElement,
) -> str | None:
    payload = read(replacer, element)
    cards.line = replacer.line
    return None if payload is None else cards.render(name, payload)


def _remove_signup(replacer: ElementReplacer, element: HtmlElement) -> str:
    return replacer.list_removed(element, SIGNUP_REASON)


def _get_inside(element: HtmlElement, *names: str) -> str:
    found = find_by_class(element, *names)
    return "" if found is None else get_inner_html(found)


def _get_caption(element: HtmlElement) -> str:
    caption = element.find(".//figcaption")
    return "" if caption is None else get_inner_html(caption)


def _read_callout(replacer: ElementReplacer, element: HtmlElement) -> Payload | None:
    text = find_by_class(element, "kg-callout-text")
    if text is None:
        return None
    emoji = get_words(find_by_class(element, "kg-callout-emoji"))
    return {"calloutText": replacer.replace_inside(text), "calloutEmoji": emoji}


def _read_toggle(replacer: ElementReplacer, element: HtmlElement) -> Payload:
    return {
        "heading": _get_inside(element, "kg-toggle-heading-text"),
        "content": replacer.replace_inside(find_by_class(element, "kg-toggle-content")),
    }


def _read_bookmark(_: ElementReplacer, element: HtmlElement) -> Payload:
    # The classes of author and publisher are exchanged.
    names = ("kg-bookmark-author", "kg-bookmark-publisher")
    publisher, author = (get_words(find_by_class(element, name)) for name in names)
    thumbnail = find_by_class(element, "kg-bookmark-thumbnail")
    return {
        "url": find_attribute(element, ".//a[@href]", "href"),
        "title": get_words(find_by_class(element, "kg-bookmark-title")),
        "description": get_words(find_by_class(element, "kg-bookmark-description")),
        "publisher": publisher,
        "author": author,
        "thumbnail": find_attribute(thumbnail, ".//img", "src"),
        "caption": _get_caption(element),
    }


def _read_button(_: ElementReplacer, element: HtmlElement) -> Payload:
    return {
        "buttonText": get_words(element),
        "buttonUrl": find_attribute(element, ".//a[@href]", "href"),
    }


def _read_gallery(_: ElementReplacer, element: HtmlElement) -> Payload:
    return {
        "images": [
            {
                "src": image.get("src") or "",
                "alt": image.get("alt") or "",
                "href": next((a.get("href") or "" for a in image.iterancestors("a")), ""),
            }
            for image in element.iter("img")
        ],
        "caption": _get_caption(element),
    }


def _read_product(replacer: ElementReplacer, element: HtmlElement) -> Payload:
    button = find_by_class(element, "kg-product-card-button")
    stars = [
        star
        for star in element.iter("span")
        if "kg-product-card-rating-active" in (star.get("class") or "").split()
    ]
    return {
        "productImageSrc": find_attribute(element, ".//img", "src"),
        "productTitle": _get_inside(element, "kg-product-card-title"),
        "productDescription": replacer.replace_inside(
            find_by_class(element, "kg-product-card-description")
        ),
        "productRatingEnabled": bool(stars),
        "productStarRating": min(len(stars), _ALL_STARS),
        "productButtonEnabled": button is not None,
        "productButton": get_words(button),
        "productUrl": "" if button is None else button.get("href") or "",
    }


def _read_audio(_: ElementReplacer, element: HtmlElement) -> Payload:
    return {
        "src": find_attribute(element, ".//audio", "src"),
        "title": get_words(find_by_class(element, "kg-audio-title")),
    }


def _read_video(_: ElementReplacer, element: HtmlElement) -> Payload:
    return {
        "src": find_attribute(element, ".//video", "src"),
        "thumbnailSrc": element.get("data-kg-custom-thumbnail")
        or element.get("data-kg-thumbnail")
        or "",
        "caption": _get_caption(element),
    }


def _read_file(_: ElementReplacer, element: HtmlElement) -> Payload:
    name = get_words(find_by_class(element, "kg-file-card-filename"))
    size = get_words(find_by_class(element, "kg-file-card-filesize"))
    return {
        "src": find_attribute(element, ".//a[@href]", "href"),
        "fileTitle": get_words(find_by_class(element, "kg-file-card-title")),
        "fileCaption": get_words(find_by_class(element, "kg-file-card-caption")),
        "fileName": ", ".join(part for part in (name, size.strip(" \u2022")) if part),
    }


def _read_header(_: ElementReplacer, element: HtmlElement) -> Payload | None:
    names = ("kg-header-card-header", "kg-header-card-heading")
    header = _get_inside(element, *names)
    subheader = _get_inside(element, "kg-header-card-subheader", "kg-header-card-subheading")
    button = find_by_class(element, "kg-header-card-button")
    return {
        "header": header,
        "subheader": subheader,
        "buttonEnabled": button is not None,
        "buttonText": get_words(button),
        "buttonUrl": "" if button is None else button.get("href") or "",
        "backgroundImageSrc": element.get("data-kg-background-image")
        or find_attribute(element, ".//img", "src"),
    }


def _read_call_to_action(replacer: ElementReplacer, element: HtmlElement) -> Payload:
    button = find_by_class(element, "kg-cta-button")
    label = find_by_class(element, "kg-cta-sponsor-label")
    return {
        "imageUrl": find_attribute(element, ".//img", "src"),
        "textValue": replacer.replace_inside(find_by_class(element, "kg-cta-text")),
        "showButton": button is not None,
        "buttonText": get_words(button),
        "buttonUrl": find_attribute(element, ".//a[@href]", "href")
        if button is None
        else button.get("href") or "",
        "hasSponsorLabel": label is not None,
        "sponsorLabel": "" if label is None else get_inner_html(label),
    }


PayloadReader = Callable[[ElementReplacer, HtmlElement], Payload | None]
# The class of an element -> the card's name, and the function that reads its content.
_READERS: Mapping[str, tuple[str, PayloadReader]] = {
    "kg-audio-card": ("audio", _read_audio),
    "kg-before-after-card": ("gallery", _read_gallery),
    "kg-bookmark-card": ("bookmark", _read_bookmark),
    "kg-button-card": ("button", _read_button),
    "kg-callout-card": ("callout", _read_callout),
    "kg-cta-card": ("call-to-action", _read_call_to_action),
    "kg-file-card": ("file", _read_file),
    "kg-gallery-card": ("gallery", _read_gallery),
    "kg-header-card": ("header", _read_header),
    "kg-product-card": ("product", _read_product),
    "kg-toggle-card": ("toggle", _read_toggle),
    "kg-video-card": ("video", _read_video),
}
