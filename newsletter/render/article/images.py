"""Normalize images and figures: size, absolute URL, caption, gallery."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from newsletter.posts.post import LocalImage
from newsletter.render.article.dom import (
    Element,
    append_child,
    drop_element,
    get_classes,
    is_blank,
    rename_element,
    unwrap_element,
)
from newsletter.render.article.galleries import COLUMNS, GAP, build_galleries, is_gallery_column
from newsletter.render.article.links import UrlResolver

# The width that the sides of a quote, a list item or a box take, in CSS pixels.
_INSET_WIDTH = 40
_INSET_TAGS = frozenset({"blockquote", "li", "dd"})
_INSET_CLASSES = frozenset({"callout", "embed", "sponsor"})
_OWN_LINE_CLASSES = frozenset({"gallery-cell", "embed-picture"})

_PIXELS = re.compile(r"\s*(\d+)(?:\.\d+)?\s*(?:px)?\s*", re.IGNORECASE)
_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")
_STYLED_SIZE = re.compile(r"(?:^|;)\s*(width|height)\s*:\s*([^;]+)")


@dataclass(frozen=True, slots=True)
class ArticleImages:
    """The images of an issue and the space for them.

    Attributes:
        content_width: the width of the article's column in CSS pixels.
        files: local images by their path, as written in the post.
        urls: resolves the published URLs.
    """

    content_width: int
    files: Mapping[str, LocalImage]
    urls: UrlResolver


def normalize_images(root: Element, article_images: ArticleImages) -> list[str]:
    """Normalize every image of the article; return notes for the editor."""
    notes: list[str] = []
    for picture in list(root.iter("picture")):
        for source in list(picture.iter("source")):
            drop_element(source)
        unwrap_element(picture)
    for image in list(root.iter("img")):
        notes += _remove_unusable_image(image, article_images)
    build_galleries(root)
    for image in list(root.iter("img")):
        _mark_standalone(image)
        notes += _normalize_image(image, article_images)
    for part in root.iter("figure", "figcaption"):
        rename_element(part, "div", "figure" if part.tag == "figure" else "caption")
    return notes


def _remove_unusable_image(image: Element, article_images: ArticleImages) -> list[str]:
    """Remove a tracking pixel, or an image without a usable URL; return notes."""
    src, alt = image.get("src") or "", image.get("alt") or ""
    if image.get("width") in {"0", "1"} and image.get("height") in {"0", "1"}:
        drop_element(image)
        return [f"a tracking pixel was left out: {src}"]
    if article_images.urls.resolve_image(src) is None or not src.strip():
        _replace_with_text(image, alt)
        return [f"an image without a usable URL was left out: {alt or src[:60] or 'no alt'}"]
    return []


def _replace_with_text(image: Element, alt: str) -> None:
    image.tag = "span"
    image.text = alt
    unwrap_element(image)


def _normalize_image(image: Element, article_images: ArticleImages) -> list[str]:
    src = image.get("src") or ""
    file = article_images.files.get(src.strip())
    natural = (file.width, file.height) if file else (0, 0)
    limit = _get_available_width(image, article_images)
    width, height = compute_display_size(natural, *_get_requested_size(image, limit), limit)
    url = article_images.urls.resolve_image(src) or ""
    display = "display:block;" if image.attrib.pop("data-alone", "") else ""
    kept_attributes = {name: image.get(name) for name in ("id", "class", "title", "lang", "dir")}
    alt = image.get("alt") or ""
    image.attrib.clear()
    image.set("src", url)
    image.set("alt", alt)
    for name, number in (("width", width), ("height", height)):
        if number:
            image.set(name, str(number))
    image.set("style", f"{display}max-width:100%;height:auto")
    for name, value in kept_attributes.items():
        if value:
            image.set(name, value)
    notes = []
    if not width:
        notes.append(f"the size of {url} is unknown, so Outlook may show it too wide")
    if url.partition("?")[0].lower().endswith(".svg"):
        notes.append(f"most mail clients do not show SVG: {url}")
    return notes


def compute_display_size(
    natural: tuple[int, int], width: float, height: float, limit: int
) -> tuple[int, int]:
    """Return the display width and height of an image in CSS pixels; 0 if unknown.

    Args:
        natural: the file's own width and height, zeros if unknown.
        width: the width that the author asks for, 0 if none.
        height: the height that the author asks for, 0 if none.
        limit: the available width.
    """
    base_width, base_height = natural if all(natural) else (width, height)
    ratio = base_height / base_width if base_width and base_height else 0.0
    if not width:
        width = height / ratio if height and ratio else base_width
    if natural[0]:
        width = min(width, natural[0])
    width = min(width, limit)
    return round(width), max(1, round(width * ratio)) if width and ratio else 0


def _get_requested_size(image: Element, limit: int) -> tuple[float, float]:
    styled = dict(_STYLED_SIZE.findall(image.get("style") or ""))
    width = styled.get("width") or image.get("width") or ""
    height = styled.get("height") or image.get("height") or ""
    return _parse_length(width, limit), _parse_length(height, 0)


def _parse_length(text: str, percent_base: int) -> float:
    if pixels := _PIXELS.fullmatch(text):
        return float(pixels[1])
    percent = _PERCENT.fullmatch(text)
    return float(percent[1]) / 100 * percent_base if percent else 0.0


def _get_available_width(image: Element, article_images: ArticleImages) -> int:
    limit = article_images.content_width
    for ancestor in image.iterancestors():
        names = get_classes(ancestor)
        if is_gallery_column(ancestor):
            limit = (limit - GAP) // COLUMNS
        elif ancestor.tag in _INSET_TAGS or _INSET_CLASSES.intersection(names):
            limit -= _INSET_WIDTH
    return max(limit, article_images.content_width // 4)


def _mark_standalone(image: Element) -> None:
    """Mark an image that is the only content of its block; make its paragraph a figure."""
    element: Element = image
    parent = element.getparent()
    while parent is not None and _is_only_content(element) and parent.tag in {"a", "span"}:
        if _OWN_LINE_CLASSES.intersection(get_classes(parent)):
            break
        element, parent = parent, parent.getparent()
    if parent is None:
        return
    in_figure = parent.tag == "figure"
    in_block = _is_only_content(element) and parent.tag in {"p", "td", "div"}
    if not (in_figure or in_block or _OWN_LINE_CLASSES.intersection(get_classes(parent))):
        return
    image.set("data-alone", "yes")
    if parent.tag == "p":
        rename_element(parent, "figure")
        in_figure = True
    if in_figure and next(parent.iter("figcaption"), None) is None:
        _move_title_to_caption(image, parent)


def _move_title_to_caption(image: Element, figure: Element) -> None:
    """Turn the Markdown title of a standalone image into its caption.

    As in ``![alt](file "caption")``.
    """
    title = image.get("title") or ""
    if " " in title.strip() and title != image.get("alt"):
        del image.attrib["title"]
        append_child(figure, "figcaption", title)


def _is_only_content(element: Element) -> bool:
    parent = element.getparent()
    return (
        parent is not None
        # Not len(parent), for which lxml counts all children.
        and element.getprevious() is None
        and element.getnext() is None
        and is_blank(parent.text)
        and is_blank(element.tail)
    )
