"""Yield an email's visible text with its computed colors and font size.

Only inlined styles and presentational attributes count, as in most clients; rules in ``<style>``
don't.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from newsletter.checks.analysis.color import RGB, WHITE, parse_color
from newsletter.checks.analysis.css_parser import parse_dimension, parse_style
from newsletter.render.article.dom import Element

_HIDDEN_TAGS = frozenset({"head", "script", "style", "title", "template", "noscript"})
_NON_ELEMENT_TYPES = (etree._Comment, etree._ProcessingInstruction)  # noqa: SLF001 - lxml names them so
_TAG_FONT_SIZES = {"h1": 32.0, "h2": 24.0, "h3": 18.7, "h5": 13.3, "h6": 10.7}
_BOLD_TAGS = frozenset({"b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"})
_MIN_BOLD_WEIGHT = 600
_DEFAULT_FONT_SIZE = 16.0
_PIXELS_PER_UNIT = {"pt": 4 / 3, "rem": _DEFAULT_FONT_SIZE, "px": 1.0, "": 1.0}


@dataclass(frozen=True, slots=True)
class TextStyle:
    """The computed style of text.

    Attributes:
        color: the text's color.
        background: the color behind it.
        font_size: in CSS pixels.
        bold: whether the text is bold.
        raised: whether it is superscript or subscript (``sup``, ``sub``).
    """

    color: RGB = (0, 0, 0)
    background: RGB = WHITE
    font_size: float = _DEFAULT_FONT_SIZE
    bold: bool = False
    raised: bool = False


@dataclass(frozen=True, slots=True)
class TextRun:
    """A text node, with its element and style.

    Attributes:
        text: the text, white space included.
        style: its computed style.
        element: the parent element.
    """

    text: str
    style: TextStyle
    element: Element


def iter_text_runs(root: Element) -> Iterator[TextRun]:
    """Yield every run of visible text, in document order."""
    stack: list[tuple[Element, TextStyle, bool]] = [(root, TextStyle(), False)]
    while stack:
        element, inherited, is_tail = stack.pop()
        if is_tail:
            if element.tail and element.tail.strip():
                parent = element.getparent()
                yield TextRun(element.tail, inherited, element if parent is None else parent)
            continue
        if element.tag in _HIDDEN_TAGS or isinstance(element, _NON_ELEMENT_TYPES):
            continue
        style = parse_style(element.get("style") or "")
        if is_hidden(style):
            continue
        computed = _compute_style(element, style, inherited)
        if element.text and element.text.strip():
            yield TextRun(element.text, computed, element)
        for child in reversed(element):
            stack += ((child, computed, True), (child, computed, False))


def is_hidden(style: Mapping[str, str]) -> bool:
    """Return whether an element with this style is hidden."""
    return (
        style.get("display", "").lower() == "none"
        or style.get("visibility", "").lower() == "hidden"
    )


def parse_length(value: str, parent_size: float = _DEFAULT_FONT_SIZE) -> float | None:
    """Return a CSS length in pixels; ``None`` if it can't be computed.

    Args:
        value: ``"17px"``, ``"1.2em"``, ``"90%"``.
        parent_size: the font size of the parent element, in pixels.
    """
    number, unit = parse_dimension(value) or (None, "")
    if number is None or not (unit or number == 0):
        return None
    if unit in {"em", "%"}:
        return number * parent_size / (100 if unit == "%" else 1)
    return number * _PIXELS_PER_UNIT[unit] if unit in _PIXELS_PER_UNIT else None


def _compute_style(element: Element, style: Mapping[str, str], inherited: TextStyle) -> TextStyle:
    tag = element.tag
    background = (
        parse_color(style.get("background-color", ""))
        or parse_color(style.get("background", ""))
        or parse_color(element.get("bgcolor") or "")
        or inherited.background
    )
    color = (
        parse_color(style.get("color", ""))
        or parse_color(element.get("color") or "")
        or inherited.color
    )
    size = parse_length(style.get("font-size", ""), inherited.font_size)
    if size is None:
        size = _TAG_FONT_SIZES.get(tag, inherited.font_size)
    bold = _is_bold(style.get("font-weight", ""), inherited.bold or tag in _BOLD_TAGS)
    computed = TextStyle(color, background, size, bold, inherited.raised or tag in {"sup", "sub"})
    return inherited if computed == inherited else computed


def _is_bold(weight: str, inherited: bool) -> bool:  # noqa: FBT001 - the value without a weight
    if weight.isdigit():
        return int(weight) >= _MIN_BOLD_WEIGHT
    return {"bold": True, "bolder": True, "normal": False}.get(weight, inherited)
