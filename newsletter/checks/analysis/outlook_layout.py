"""Compute the widths in Outlook for Windows; find what is too wide.

Outlook renders with Word. It reads the conditional comments, which fix the widths of tables, cells
and images in pixels; it ignores ``max-width``; and a cell's width includes its padding. Pure.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from lxml import etree

from newsletter.checks.analysis.css_parser import (
    CONDITIONAL_COMMENT,
    HIDDEN_FROM_OUTLOOK,
    parse_dimension,
    parse_style,
)
from newsletter.render.article.dom import Element, get_visible_text

_OFFICE_XML = re.compile(r"<noscript>\s*<xml>.*?</xml>\s*</noscript>|<xml>.*?</xml>", re.DOTALL)
_OUTLOOK_VERSION = 16  # of Outlook 2016 and every later one
_MSO_CONDITION = re.compile(
    r"(?P<no>!\s*\(?\s*)?(?P<than>gte?|lte?)?\s*\bmso\b(?:\s*(?P<version>\d+))?", re.IGNORECASE
)
_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_SIZED_TAGS = frozenset({"table", "td", "th", "img"})
_CELLS = ("td", "th")
_MAX_WORDS = 6
_TOLERANCE = 1.0  # px: halves of a pixel are rounded


class Overflow(NamedTuple):
    """An element that is wider in Outlook than its place.

    Attributes:
        width: its width in px; of a row, the sum of its cells.
        available: the width of its place in px.
        element: the element.
    """

    width: float
    available: float
    element: Element

    @property
    def words(self) -> str:
        """The first words that a reader sees in it, or nearest around it."""
        for element in (self.element, *self.element.iterancestors()):
            alts = [image.get("alt") or "" for image in element.iter("img")]
            if words := " ".join((get_visible_text(element), *alts)).split():
                return " ".join(words[:_MAX_WORDS])
        return ""


def expand_outlook_conditions(html: str) -> str:
    """Expand the conditional comments that Outlook for Windows, which renders with Word, reads."""
    html = HIDDEN_FROM_OUTLOOK.sub("", html)
    html = CONDITIONAL_COMMENT.sub(
        lambda match: match["shown"] if _matches_outlook(match["when"]) else "", html
    )
    return _OFFICE_XML.sub("", html)


def find_overflows(html: str) -> tuple[Overflow, ...]:
    """Return the elements that are wider in Outlook than the content box of their parent.

    Nothing may be wider than the email's body either. Below an element that is too wide, its own
    width counts, so that one mistake is one finding.

    Args:
        html: the whole document as it is sent.
    """
    parser = etree.HTMLParser(remove_comments=True, remove_pis=True)
    tree = etree.fromstring(expand_outlook_conditions(html), parser)
    body = tree.find("body")
    return () if body is None else tuple(_walk(body, _get_body_width(body)))


def _walk(body: Element, body_width: float | None) -> Iterator[Overflow]:
    stack = [(child, body_width, body_width) for child in reversed(body)]
    while stack:
        element, available, image_place = stack.pop()
        if element.tag == "img":
            available = image_place
        style = _get_style(element)
        own_width = _get_width(element, style, available)
        width = available if own_width is None else own_width
        if available is not None and width is not None and width > available + _TOLERANCE:
            yield Overflow(width, available, element)
        if element.tag == "tr" and available is not None:
            yield from _check_row(element, available)
        inner = _get_content_width(element, style, width)
        # A cell grows with an image: icons are drawn in cells of their width, plus padding.
        if element.tag in _SIZED_TAGS:
            image_place = inner if own_width is None else width
        stack += ((child, inner, image_place) for child in reversed(element))


def _check_row(row: Element, available: float) -> Iterator[Overflow]:
    """Yield the row if its cells fit one by one, but not together."""
    widths = [
        _get_width(cell, _get_style(cell), available) or 0.0 for cell in row if cell.tag in _CELLS
    ]
    if sum(widths) > available + _TOLERANCE and max(widths) <= available + _TOLERANCE:
        yield Overflow(sum(widths), available, row)


def _get_body_width(body: Element) -> float | None:
    """Return the width that the outermost boxes of the email have; ``None`` if it is liquid."""
    widths = [
        width
        for element in body.iter("div", "table")
        if (width := _to_pixels(_get_style(element).get("max-width", ""), None)) is not None
        and not any("max-width" in _get_style(parent) for parent in element.iterancestors())
    ]
    return max(widths, default=None)


def _get_width(element: Element, style: Mapping[str, str], available: float | None) -> float | None:
    """Return the width of an element in Word; ``None`` if its place or content gives it."""
    if element.tag not in _SIZED_TAGS:
        return None
    for value in (style.get("width", ""), element.get("width") or ""):
        if (width := _to_pixels(value, available)) is not None:
            return width
    return None


def _get_content_width(
    element: Element, style: Mapping[str, str], width: float | None
) -> float | None:
    """Return the width of an element's content box: without padding and borders."""
    if width is None or element.tag not in (*_CELLS, "table"):
        return width
    sides = sum(_get_border(style, side) for side in ("left", "right"))
    if element.tag in _CELLS:
        sides += sum(_get_padding(style, side, width) for side in ("left", "right"))
        table = next(element.iterancestors("table"), None)
        if "padding" not in style and table is not None:
            sides += 2 * (_to_pixels(table.get("cellpadding") or "", width) or 0.0)
    return max(width - sides, 0.0)


def _get_padding(style: Mapping[str, str], side: str, width: float) -> float:
    """Return a cell's padding on one side in px."""
    values = style.get("padding", "").split()
    value = values[_get_side_index(side, len(values))] if values else ""
    return _to_pixels(style.get(f"padding-{side}", value), width) or 0.0


def _get_side_index(side: str, count: int) -> int:
    """Return which of a shorthand's one to four values is a side's (CSS Box Model 3)."""
    return 0 if count == 1 else 3 if side == "left" and count > 3 else 1  # noqa: PLR2004 - four sides


def _get_border(style: Mapping[str, str], side: str) -> float:
    """Return the width of one border in px."""
    value = style.get(f"border-{side}", style.get("border", ""))
    widths = (_to_pixels(part, None) for part in value.split() if "none" not in value)
    return next((width for width in widths if width is not None), 0.0)


def _to_pixels(value: str, whole: float | None) -> float | None:
    """Return a CSS length or an HTML attribute in px; ``None`` if it is neither px nor %."""
    number, unit = parse_dimension(value) or (None, "")
    if number is None or unit not in {"", "px", "%"}:
        return None
    if unit == "%":
        return None if whole is None else number * whole / 100
    return number


def _get_style(element: Element) -> Mapping[str, str]:
    return parse_style(element.get("style") or "")


def _matches_outlook(condition: str) -> bool:
    """Return whether current Outlook for Windows shows the content of this condition."""
    match = _MSO_CONDITION.search(condition)
    if match is None:
        return False
    version = int(match["version"]) if match["version"] else _OUTLOOK_VERSION
    comparison = (match["than"] or "").lower() if match["version"] else ""
    return _COMPARISONS[comparison](_OUTLOOK_VERSION, version) is not bool(match["no"])
