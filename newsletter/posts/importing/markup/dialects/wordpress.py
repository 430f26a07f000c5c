"""WordPress's shortcodes: ``[caption]``, ``[gallery ids="1,2"]``."""

import re
from collections.abc import Iterator, Sequence

from newsletter.posts.importing.markup.components import HANDLERS, translate_element
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import (
    MarkupElement,
    MarkupTag,
    pair_tags,
    parse_arguments,
)

_LABEL = re.compile(r"^[> ]{0,9}\[([^\[\]\n]{1,500})\]:", re.MULTILINE)  # of a link's definition
DIALECT = "WordPress shortcode"
_QUOTED = r"\"[^\"\n]{0,500}\"|'[^'\n]{0,500}'|“[^”\n]{0,500}”|&quot;"
_TAG = re.compile(
    rf"(?:(?<![\w!\\])(?P<escape>\[)?\[|\[(?P<close>/))(?P<name>[A-Za-z][\w-]{{1,40}})"
    rf"(?P<arguments>=[^\s\[\]]{{1,300}}|\s(?:[^\[\]\"'“]|{_QUOTED}){{0,400}}+)?"
    rf"(?P<self>/)?\](?P<escaped>\])?(?!\(|: )"
)
_QUOTED_TEXT = re.compile(_QUOTED)
_PICTURE = re.compile(
    r"<img\b[^<>]{0,2000}>(?:\s{0,9}</a>)?|!\[[^\]]{0,500}\]\([^()\n]{0,1000}\)\)?"
)
# Shortcodes that stand on a line of their own without any argument.
_BARE_NAMES = frozenset({"gallery", "toc", "contact-form", "contact_form", "mc4wp_form"})
_MARKER_NAMES = frozenset({"gallery", "embed", "caption", "wp_caption", *HANDLERS})
_GALLERY_REASON = f"{DIALECT} gallery, whose pictures are only on the site"


def translate_wordpress(page: MarkupPage) -> list[Edit]:
    """Return the edits for everything that certainly is a shortcode."""
    edits: list[Edit] = []
    tags: list[MarkupTag] = []
    labels = _find_labels(page)
    for found in _TAG.finditer(page.text):
        if found.start() in page.protected or _normalize(found[0][1:-1]) in labels:
            continue
        if found["escape"] and found["escaped"]:
            if found["name"].lower() in _MARKER_NAMES:
                inside = found[0][2:-2]
                shown = f"\\[{inside}]" if page.is_markdown else f"&#91;{inside}]"
                edits.append(Edit(*found.span(), shown))
            continue
        tags.append(_make_tag(found))
    for element in _iter_certain(pair_tags(tags), page):
        edits += _translate_element(element, page)
    return edits


def _find_labels(page: MarkupPage) -> frozenset[str]:
    """Return the labels of links that the post defines, whose text may be in brackets alone."""
    found = _LABEL.findall(page.text) if page.is_markdown else ()
    return frozenset(map(_normalize, found))


def _normalize(label: str) -> str:
    return " ".join(label.casefold().split())


def _make_tag(found: re.Match[str]) -> MarkupTag:
    arguments = (found["arguments"] or "").strip().removeprefix("=")
    arguments = arguments.removesuffix("/")
    values, words = parse_arguments(arguments)
    start = found.start() + (1 if found["escape"] else 0)
    end = found.end() - (1 if found["escaped"] else 0)
    form = "close" if found["close"] else "single" if _closes_itself(found) else "open"
    return MarkupTag(start, end, found["name"].lower(), form, values, words, arguments)  # type: ignore[arg-type]  # one of the three


def _closes_itself(found: re.Match[str]) -> bool:
    return bool(found["self"]) or (found["arguments"] or "").endswith("/")


def _iter_certain(elements: Sequence[MarkupElement], page: MarkupPage) -> Iterator[MarkupElement]:
    """Yield the elements that are no words in brackets such as ``[sic]`` or ``[note]``."""
    for element in elements:
        tag = element.tag
        is_media = tag.name in HANDLERS and any(
            "//" in word or word.isdecimal() for word in tag.words
        )
        is_bare = tag.name in _BARE_NAMES and page.is_alone(tag.start, tag.end)
        has_values = bool(tag.values) and "<" not in _QUOTED_TEXT.sub("", tag.arguments)
        if element.closing or has_values or is_media or is_bare:
            yield element


def _translate_element(element: MarkupElement, page: MarkupPage) -> list[Edit]:
    tag = element.tag
    if tag.name in {"caption", "wp_caption"} and element.closing:
        return _translate_caption(element, page)
    if tag.name in {"gallery", "playlist"}:
        return [Edit(tag.start, element.end, "", _GALLERY_REASON.replace("gallery", tag.name))]
    return translate_element(element, page)


def _translate_caption(element: MarkupElement, page: MarkupPage) -> list[Edit]:
    inner = " ".join(page.get_inner(element).split())
    pictures = list(_PICTURE.finditer(inner))
    if not pictures:
        return page.replace_tags(element)
    cut = pictures[-1].end()
    caption = inner[cut:].strip() or element.tag.get("caption")
    picture = page.render_inline(inner[:cut])
    figcaption = f"<figcaption>{page.render_inline(caption)}</figcaption>" if caption else ""
    figure = page.format_block(
        f"<figure>{picture}{figcaption}</figure>", element.tag.start, element.end
    )
    return page.replace_element(element, figure, "a figure")
