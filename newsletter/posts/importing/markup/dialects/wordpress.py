"""WordPress's shortcodes: ``[caption]``, ``[gallery ids="1,2"]``."""

import re
from collections.abc import Callable
from typing import NamedTuple

from newsletter.posts.importing.markup.components import HANDLERS, translate_element
from newsletter.posts.importing.markup.edits import Edit
from newsletter.posts.importing.markup.page import MarkupPage
from newsletter.posts.importing.markup.tags import (
    MarkupElement,
    MarkupTag,
    TagForm,
    pair_tags,
    parse_arguments,
)

_LABEL = re.compile(r"^[> ]{0,9}\[([^\[\]\n]{1,500})\]:", re.MULTILINE)  # of a link's definition
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


class RenderedGallery(NamedTuple):
    """What a shortcode became that names uploaded files by their ids.

    Attributes:
        html: on one line; empty if none of the files is known.
        explanation: what became of it, for the list of what was removed.
    """

    html: str
    explanation: str


def _leave_out_gallery(tag: MarkupTag) -> RenderedGallery:  # noqa: ARG001 - ids say nothing here
    return RenderedGallery("", "whose pictures are only on the site")


def translate_wordpress(
    page: MarkupPage, render_gallery: Callable[[MarkupTag], RenderedGallery] = _leave_out_gallery
) -> list[Edit]:
    """Return the edits for everything that certainly is a shortcode.

    Args:
        page: the post's body.
        render_gallery: returns what a ``[gallery]`` or ``[playlist]`` becomes.
    """
    edits: list[Edit] = []
    tags: list[MarkupTag] = []
    # Labels of links that the post defines, whose text may be in brackets alone.
    labels = set(map(_normalize, _LABEL.findall(page.text))) if page.is_markdown else set[str]()
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
    for element in pair_tags(tags):
        tag = element.tag
        if not _is_shortcode(element, page):
            continue
        if tag.name in {"caption", "wp_caption"} and element.closing:
            edits += _translate_caption(element, page)
        elif tag.name in {"gallery", "playlist"}:
            gallery = render_gallery(tag)
            why = f"WordPress shortcode {tag.name}, {gallery.explanation}"
            # Two edits: none of the shortcode's own words is in what it became.
            edits.append(Edit(tag.start, element.end, "", why, group=tag.start))
            edits.append(Edit(element.end, element.end, gallery.html, group=tag.start))
        else:
            edits += translate_element(element, page)
    return edits


def _normalize(label: str) -> str:
    return " ".join(label.casefold().split())


def _make_tag(found: re.Match[str]) -> MarkupTag:
    written = found["arguments"] or ""
    arguments = written.strip().removeprefix("=").removesuffix("/")
    start = found.start() + (1 if found["escape"] else 0)
    end = found.end() - (1 if found["escaped"] else 0)
    closes_itself = found["self"] or written.endswith("/")
    form: TagForm = "close" if found["close"] else "single" if closes_itself else "open"
    name = found["name"].lower()
    return MarkupTag(start, end, name, form, *parse_arguments(arguments), arguments)


def _is_shortcode(element: MarkupElement, page: MarkupPage) -> bool:
    """Whether an element certainly is no word in brackets such as ``[sic]`` or ``[note]``."""
    tag = element.tag
    is_media = tag.name in HANDLERS and any("//" in word or word.isdecimal() for word in tag.words)
    is_bare = tag.name in _BARE_NAMES and page.is_alone(tag.start, tag.end)
    has_values = bool(tag.values) and "<" not in _QUOTED_TEXT.sub("", tag.arguments)
    return bool(element.closing or has_values or is_media or is_bare)


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
