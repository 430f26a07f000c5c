"""Rewrite the widgets in Substack's HTML as our blocks."""

import html
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from lxml.html import HtmlElement

from newsletter.posts.html.normalize.tags import iter_html_tags
from newsletter.posts.html.normalize.unseen_text import PLATFORM_BUTTON, is_platform_button
from newsletter.posts.importing.sources.blocks.format_blocks import (
    format_button,
    format_file,
    format_gallery,
    format_image_block,
    format_link_card,
    format_paragraph,
    format_picture,
    format_player,
)
from newsletter.posts.importing.sources.blocks.replace_elements import (
    ElementHandler,
    ElementReplacer,
    find_attribute,
    find_by_class,
    get_inner_html,
    get_words,
)

_IMAGE_HOSTS = ("substackcdn.com", "substack-post-media.s3.amazonaws.com", "cdn.substack.com")
_MEDIA_URL = "https://api.substack.com/api/v1/{kind}/upload/{id}/src"
_NUMBER = re.compile(r"\s{0,20}\d{1,4}")
_MEDIA_ID = re.compile(r"[\w-]{1,64}")
_EMPTY_WIDGET = re.compile(
    r"""<(?P<tag>div|span)\s[^<>]*\bdata-component-name="(?P<name>\w+)"[^<>]*>\s*</(?P=tag)>"""
)
_Attributes = Mapping[str, Any]


def rewrite_substack_widgets(text: str, replacer: ElementReplacer) -> str:
    """Return Substack's HTML with its widgets as our blocks.

    Args:
        text: the HTML of a post, its pictures' links to themselves removed.
        replacer: the replacer with ``SUBSTACK_WIDGETS``; it lists what is left out.
    """
    return _EMPTY_WIDGET.sub(
        lambda found: replacer.list_removed(found["name"], "widget of Substack"),
        replacer.replace(text),
    )


def unlink_pictures(text: str) -> str:
    """Remove the links of pictures to their own files, which Substack adds."""
    if "image-link" not in text:
        return text
    parts: list[str] = []
    position = 0
    for tag in iter_html_tags(text):
        if tag.name != "a" or tag.is_end or "image-link" not in tag.attribute_text:
            continue
        if _is_own_image(tag.attributes.get("href", "")):
            parts += (text[position : tag.start], '<a class="image-link">')
            position = tag.end
    return "".join((*parts, text[position:]))


def remove_note_numbers(text: str) -> str:
    """Remove the numbers before footnotes: a list has them, and nobody misses them as words."""
    if "footnote-number" not in text:
        return text
    parts: list[str] = []
    position = 0
    for tag in iter_html_tags(text):
        if tag.name == "a" and not tag.is_end and "footnote-number" in tag.attribute_text:
            number = _NUMBER.match(text, tag.end)
            if number is not None:
                parts.append(text[position : tag.end])
                position = number.end()
    return "".join((*parts, text[position:]))


def _is_own_image(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host in _IMAGE_HOSTS or (host.startswith("bucketeer-") and "amazonaws" in host)


def _read_attributes(element: HtmlElement) -> _Attributes:
    """Return what a widget holds as JSON in an attribute; empty if it can't be read."""
    try:
        parsed = json.loads(element.get("data-attrs") or "")
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _get_text(data: _Attributes, *keys: str) -> str:
    """Return the first of these values that is text."""
    values = (data.get(key) for key in keys)
    return next((value for value in values if isinstance(value, str) and value.strip()), "")


def _get_list(data: _Attributes, key: str) -> list[_Attributes]:
    value = data.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _remove_form(replacer: ElementReplacer, element: HtmlElement) -> str:
    return replacer.list_removed(element, "sign-up form of Substack")


def _remove_promotion(replacer: ElementReplacer, element: HtmlElement) -> str:
    name = element.get("data-component-name") or "app"
    return replacer.list_removed(get_words(element) or name, "promotion of Substack")


def _remove_poll(replacer: ElementReplacer, element: HtmlElement) -> str:
    number = _read_attributes(element).get("id")
    return replacer.list_removed(f"poll {number} {get_words(element)}", "poll of Substack")


def _replace_paywall(_: ElementReplacer, element: HtmlElement) -> str:
    return format_paragraph(html.escape(get_words(element)))


def _replace_button(replacer: ElementReplacer, element: HtmlElement) -> str:
    words = get_words(element)
    url = find_attribute(element, ".//a[@href]", "href")
    if is_platform_button(get_inner_html(element), words):
        return replacer.list_removed(element, PLATFORM_BUTTON)
    return format_button(words, url)


def _replace_captioned_button(replacer: ElementReplacer, element: HtmlElement) -> str:
    button = find_by_class(element, "button-wrapper")
    if button is not None and is_platform_button(get_inner_html(button), get_words(button)):
        return replacer.list_removed(element, PLATFORM_BUTTON)
    return replacer.replace_inside(element)


def _replace_image(_: ElementReplacer, element: HtmlElement) -> str | None:
    image = element.find(".//img")
    if image is None:
        return None
    caption = element.find(".//figcaption")
    return format_image_block(
        image.get("src") or "",
        image.get("alt") or "",
        "" if caption is None else get_inner_html(caption),
        href=find_attribute(element, ".//a[@href]", "href"),
    )


def _replace_old_image(_: ElementReplacer, element: HtmlElement) -> str | None:
    data = _read_attributes(element)
    if not _get_text(data, "src"):
        return None
    caption = html.escape(_get_text(data, "title"))
    return format_image_block(
        _get_text(data, "src"), _get_text(data, "alt"), caption, href=_get_text(data, "href")
    )


def _replace_gallery(_: ElementReplacer, element: HtmlElement) -> str | None:
    gallery = _read_attributes(element).get("gallery")
    if not isinstance(gallery, dict):
        return None
    alt = _get_text(gallery, "alt")
    pictures = [
        format_picture(_get_text(image, "src"), _get_text(image, "alt") or alt)
        for image in _get_list(gallery, "images")
    ]
    return format_gallery(pictures, html.escape(_get_text(gallery, "caption")))


def _replace_post(_: ElementReplacer, element: HtmlElement) -> str | None:
    data = _read_attributes(element)
    url = _get_text(data, "canonical_url", "url", "base_url")
    if not url:
        return None
    names = [_get_text(person, "name") for person in _get_list(data, "publishedBylines")]
    names += [_get_text(person, "name") for person in _get_list(data, "bylines")]
    names += [_get_text(data, "author_name"), _get_text(data, "publication_name")]
    return format_link_card(
        url,
        _get_text(data, "title", "name"),
        _get_text(data, "caption", "hero_text", "truncated_body_text", "description"),
        picture=_get_text(data, "cover_image", "thumbnail_url"),
        byline=" \u00b7 ".join(dict.fromkeys(name for name in names if name)),
    )


def _replace_tweet(_: ElementReplacer, element: HtmlElement) -> str | None:
    data = _read_attributes(element)
    url = _get_text(data, "url") or find_attribute(element, ".//a[@href]", "href")
    if not url.startswith("https://"):
        return None
    # The text has tags in it.
    text = _get_text(data, "full_text").replace("\n", "<br>")
    text = text or html.escape(get_words(find_by_class(element, "tweet-text")))
    date = _get_text(data, "date")[:40] or url
    user = _get_text(data, "username")
    author = f"{_get_text(data, 'name')}{f' (@{user})' if user else ''}"
    photos = (
        format_picture(_get_text(photo, "img_url"), _get_text(photo, "alt_text"))
        for photo in _get_list(data, "photos")
    )
    quoted = data.get("quoted_tweet")
    quote = ""
    if isinstance(quoted, dict) and _get_text(quoted, "full_text"):
        quoted_text = _get_text(quoted, "full_text").replace("\n", "<br>")
        name = html.escape(_get_text(quoted, "name", "username"))
        quote = f"<blockquote><p>{quoted_text} \u2014 {name}</p></blockquote>"
    return (
        f'<blockquote class="twitter-tweet">{format_paragraph(text)}{quote}{"".join(photos)}'
        f'<p>\u2014 {html.escape(author)} <a href="{html.escape(url)}">{html.escape(date)}</a></p>'
        "</blockquote>"
    )


def _replace_comment(_: ElementReplacer, element: HtmlElement) -> str | None:
    data = _read_attributes(element)
    comment = data.get("comment")
    comment = comment if isinstance(comment, dict) else {}
    url = _get_text(data, "url")
    body = _get_text(comment, "body") or get_words(element)
    name = _get_text(comment, "name", "user_name")
    return format_link_card(url, name or "Note", body) if url or body else None


def _replace_video(replacer: ElementReplacer, element: HtmlElement) -> str:
    return _replace_media(replacer, element, "video")


def _replace_audio(replacer: ElementReplacer, element: HtmlElement) -> str:
    return _replace_media(replacer, element, "audio")


def _replace_media(replacer: ElementReplacer, element: HtmlElement, kind: str) -> str:
    """Return a player with the address of a file at Substack: the export has only its id."""
    data = _read_attributes(element)
    media_id = _get_text(data, "mediaUploadId")
    if not _MEDIA_ID.fullmatch(media_id):
        return replacer.list_removed(f"{kind} {media_id}", f"{kind} without an address")
    # Recordings are uploads of the same kind.
    url = _MEDIA_URL.format(kind="video", id=media_id)
    return format_player(kind, url, _get_text(data, "label"))


def _replace_video_service(_: ElementReplacer, element: HtmlElement) -> str | None:
    video_id = _get_text(_read_attributes(element), "videoId")
    if element.find(".//iframe") is not None or not _MEDIA_ID.fullmatch(video_id):
        return None
    is_vimeo = "vimeo-wrap" in (element.get("class") or "")
    base = "https://player.vimeo.com/video/" if is_vimeo else "https://www.youtube.com/embed/"
    return f'<iframe src="{base}{html.escape(video_id)}"></iframe>'


def _replace_embed(_: ElementReplacer, element: HtmlElement) -> str | None:
    data = _read_attributes(element)
    url = _get_text(data, "url", "targetUrl")
    post_id = _get_text(data, "instagram_id")
    if not url and _MEDIA_ID.fullmatch(post_id):
        url = f"https://www.instagram.com/p/{post_id}/"
    if not url or element.tag == "iframe" or element.find(".//iframe") is not None:
        return None
    return format_link_card(
        url,
        _get_text(data, "title") or get_words(element),
        _get_text(data, "description"),
        picture=_get_text(data, "thumbnail_url"),
        byline=_get_text(data, "author_name", "author", "author_url"),
    )


def _replace_formula(_: ElementReplacer, element: HtmlElement) -> str | None:
    formula = _get_text(_read_attributes(element), "persistentExpression")
    return format_paragraph(f'<span class="math">{html.escape(formula)}</span>') or None


def _replace_mention(_: ElementReplacer, element: HtmlElement) -> str | None:
    data = _read_attributes(element)
    name, url = html.escape(_get_text(data, "name")), html.escape(_get_text(data, "url"))
    if not name:
        return None
    return f'<a href="{url}">{name}</a>' if url.startswith("https://") else name


def _replace_file(_: ElementReplacer, element: HtmlElement) -> str | None:
    url = find_attribute(element, ".//a[@href]", "href")
    if not url:
        return None
    return format_file(
        url,
        get_words(find_by_class(element, "file-embed-details-h1")),
        get_words(find_by_class(element, "file-embed-description")),
        details=get_words(find_by_class(element, "file-embed-details-h2")),
    )


SUBSTACK_WIDGETS: Mapping[str, ElementHandler] = {
    **dict.fromkeys(
        ("subscription-widget-wrap", "subscription-widget-wrap-editor", "subscribe-widget"),
        _remove_form,
    ),
    **dict.fromkeys(
        ("install-substack-app-embed", "community-chat", "directMessage"), _remove_promotion
    ),
    "poll-embed": _remove_poll,
    "paywall-jump": _replace_paywall,
    "button-wrapper": _replace_button,
    "captioned-button-wrap": _replace_captioned_button,
    "captioned-image-container": _replace_image,
    "image3": _replace_old_image,
    "image-gallery-embed": _replace_gallery,
    **dict.fromkeys(
        ("digest-post-embed", "embedded-post-wrap", "embedded-publication-wrap"), _replace_post
    ),
    **dict.fromkeys(("tweet", "twitter-embed"), _replace_tweet),
    "comment": _replace_comment,
    "native-video-embed": _replace_video,
    "native-audio-embed": _replace_audio,
    **dict.fromkeys(("youtube-wrap", "vimeo-wrap"), _replace_video_service),
    **dict.fromkeys(
        ("instagram", "tiktok-wrap", "soundcloud-wrap", "bluesky-wrap"), _replace_embed
    ),
    "latex-rendered": _replace_formula,
    "mention-wrap": _replace_mention,
    "file-embed-wrapper": _replace_file,
}
