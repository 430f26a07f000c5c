"""Find and replace the images on the web in a post's body. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from markdown_it.common.normalize_url import normalizeLink
from markdown_it.common.utils import unescapeAll

from newsletter.posts.html.normalize.media_sources import (
    LAZY_ATTRIBUTES,
    SOURCE_SET_ATTRIBUTES,
    find_media_source,
    rank_source_set,
)
from newsletter.posts.html.normalize.tags import Tag, iter_attribute_spans, iter_html_tags
from newsletter.posts.importing.markup.code_ranges import find_code_ranges
from newsletter.posts.importing.markup.edits import Edit, Ranges
from newsletter.posts.importing.markup.links_to_posts import pair_brackets

_IMAGE_TAGS = frozenset({"img", "amp-img", "amp-anim"})
_PLAYER_TAGS = frozenset({"video", "iframe"})
_PREFERRED_ATTRIBUTES = frozenset((*LAZY_ATTRIBUTES, *SOURCE_SET_ATTRIBUTES))
_NO_CODE = Ranges(())
_REMOTE = re.compile(r"(?:https?:)?//[^/?#\s]", re.IGNORECASE)
_PIXEL_SIZE = re.compile(r"\s*[01]\s*(?:px)?\s*")
_URL = r"(?:<(?P<angle>[^<>\n]*)>|(?P<bare>(?>(?:\\.|[^\s\\()<>]|\((?:\\.|[^\s\\()<>])*\))+)))"
_INLINE_TARGET = re.compile(rf"\]\([ \t]*\n?[ \t]*{_URL}")
_DEFINITION = re.compile(
    rf"^[ \t>]*\[(?:\\.|[^\[\]\\\n]){{1,300}}\]:[ \t]*\n?[ \t]*{_URL}", re.MULTILINE
)


class RemoteImage(NamedTuple):
    """An image on the web.

    Attributes:
        reference: its URL as the email would request it; may begin with ``//``.
        other_urls: those of its other sizes, the best for an email first.
    """

    reference: str
    other_urls: tuple[str, ...] = ()


class _ImageElement(NamedTuple):
    """A tag that shows an image, the attribute that names it, and the ``source`` tags before it."""

    tag: Tag
    attribute: str
    image: RemoteImage
    sources: tuple[Tag, ...] = ()


def is_remote(reference: str) -> bool:
    """Return whether a reference is an absolute http or https URL without a merge tag."""
    return bool(_REMOTE.match(reference)) and "{{" not in reference


def list_body_images(html: str) -> list[RemoteImage]:
    """Return the images on the web in HTML, without those of one pixel; stills of players, too."""
    found = (element.image for element in _iter_elements(html))
    return [image for image in found if is_remote(image.reference)]


def list_links(html: str) -> list[str]:
    """Return the URLs of all links in HTML, in order."""
    return [tag.attributes.get("href", "") for tag in iter_html_tags(html) if tag.name == "a"]


def _iter_elements(html: str) -> Iterator[_ImageElement]:
    sources: list[Tag] = []
    for tag in iter_html_tags(html):
        if tag.name == "picture":
            sources.clear()
        if tag.is_end:
            continue
        attributes = tag.attributes
        if tag.name == "source":
            sources.append(tag)
        elif tag.name in _PLAYER_TAGS:
            yield _ImageElement(tag, "poster", RemoteImage(attributes.get("poster", "").strip()))
        elif tag.name in _IMAGE_TAGS and not _is_pixel(attributes):
            around = [text for source in sources for text in _get_source_sets(source.attributes)]
            reference = find_media_source(attributes, around)
            others = (
                url
                for source_set in (*_get_source_sets(attributes), *around)
                for url in rank_source_set(source_set)
                if url != reference and is_remote(url)
            )
            image = RemoteImage(reference, tuple(dict.fromkeys(others)))
            yield _ImageElement(tag, "src", image, tuple(sources))


def _get_source_sets(attributes: Mapping[str, str]) -> list[str]:
    return [attributes[name] for name in SOURCE_SET_ATTRIBUTES if attributes.get(name)]


def _is_pixel(attributes: Mapping[str, str]) -> bool:
    """Return whether an image counts openings: rendering leaves it out."""
    return all(_PIXEL_SIZE.fullmatch(attributes.get(name, "")) for name in ("width", "height"))


def replace_body_images(
    body: str, body_format: Literal["md", "html"], new_references: Mapping[str, str]
) -> str:
    """Return a body with other references to its images; links to them stay.

    Args:
        body: Markdown or HTML.
        body_format: which of the two.
        new_references: URL, as in ``RemoteImage.reference`` -> path beside the post.
    """
    edits = [
        edit
        for element in _iter_elements(body)
        if element.image.reference in new_references
        for edit in _iter_tag_edits(body, element, new_references[element.image.reference])
    ]
    if body_format == "html":
        return _apply(body, edits)
    pairs = pair_brackets(body)
    images = (
        found
        for found in _INLINE_TARGET.finditer(body)
        if _is_image_start(body, pairs.get(found.start(), 0))
    )
    edits += _iter_target_edits(images, new_references)
    return _apply(body, edits, find_code_ranges(body, is_markdown=True))


def _is_image_start(body: str, bracket: int) -> bool:
    return body[max(bracket - 1, 0) : bracket] == "!" and body[max(bracket - 2, 0)] != "\\"


def replace_definitions(body: str, new_references: Mapping[str, str]) -> str:
    """Return Markdown with other URLs in its definitions (``[label]: URL``), also of links."""
    edits = _iter_target_edits(_DEFINITION.finditer(body), new_references)
    return _apply(body, [*edits], find_code_ranges(body, is_markdown=True))


def _iter_tag_edits(body: str, element: _ImageElement, new_reference: str) -> Iterator[Edit]:
    """Yield the edits of one tag; what rendering would prefer to the new path goes."""
    obsolete = _PREFERRED_ATTRIBUTES if element.attribute == "src" else frozenset[str]()
    new_attribute = f' {element.attribute}="{new_reference}"'
    is_set = False
    for name, start, end in iter_attribute_spans(element.tag):
        if name == element.attribute or name in obsolete:
            # With the space before: a blank line would end a block of HTML in Markdown.
            start = len(body[:start].rstrip())  # noqa: PLW2901
            yield Edit(start, end, new_attribute if name == element.attribute else "")
            is_set = is_set or name == element.attribute
    if not is_set:
        name_end = element.tag.start + 1 + len(element.tag.name)
        yield Edit(name_end, name_end, new_attribute)
    for source in element.sources:
        for name, start, end in iter_attribute_spans(source):
            if name in SOURCE_SET_ATTRIBUTES:
                yield Edit(len(body[:start].rstrip()), end, "")


def _iter_target_edits(
    matches: Iterable[re.Match[str]], new_references: Mapping[str, str]
) -> Iterator[Edit]:
    for found in matches:
        group = "bare" if found["bare"] is not None else "angle"
        reference = normalizeLink(unescapeAll(found[group]))
        if reference in new_references:
            yield Edit(found.start(group), found.end(group), new_references[reference])


def _apply(body: str, edits: Iterable[Edit], code: Ranges = _NO_CODE) -> str:
    """Make edits outside code; an image in the title of another one is not replaced."""
    parts: list[str] = []
    position = 0
    for edit in sorted(edits):
        if edit.start >= position and edit.start not in code:
            parts += (body[position : edit.start], edit.text)
            position = edit.end
    return "".join((*parts, body[position:]))
