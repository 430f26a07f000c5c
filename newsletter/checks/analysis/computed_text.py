"""What a reader sees of a mail: its runs of text with the colours and size they are shown in.

Only inlined styles and old attributes count, as in most clients; rules in ``<style>`` don't.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from newsletter.checks.analysis.color import RGB, WHITE, parse_color
from newsletter.render.article.dom import Element

_HIDDEN_TAGS = frozenset({"head", "script", "style", "title", "template", "noscript"})
_NON_ELEMENT_TYPES = (etree._Comment, etree._ProcessingInstruction)  # noqa: SLF001 - lxml names them so
_LENGTH = re.compile(r"(\d{1,6}(?:\.\d+)?|\.\d+)(px|pt|em|rem|%)")
_TAG_FONT_SIZES = {"h1": 32.0, "h2": 24.0, "h3": 18.7, "h5": 13.3, "h6": 10.7}
_BOLD_TAGS = frozenset({"b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"})
_MIN_BOLD_WEIGHT = 600
_DEFAULT_FONT_SIZE = 16.0
_PIXELS_PER_UNIT = {"pt": 4 / 3, "rem": _DEFAULT_FONT_SIZE, "px": 1.0}


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How text is shown.

    Attributes:
        color: the text's colour.
        background: what is behind it.
        font_size: of the font, in CSS pixels.
        bold: whether it is.
        raised: whether it stands above or below the line (``sup``, ``sub``).
    """

    color: RGB = (0, 0, 0)
    background: RGB = WHITE
    font_size: float = _DEFAULT_FONT_SIZE
    bold: bool = False
    raised: bool = False


@dataclass(frozen=True, slots=True)
class TextRun:
    """Text that one element holds directly.

    Attributes:
        text: with its white space.
        style: how it is shown.
        element: which holds it.
    """

    text: str
    style: TextStyle
    element: Element


def iter_text_runs(root: Element) -> Iterator[TextRun]:
    """Every run of text that is seen, in order."""
    stack: list[tuple[Element, TextStyle, bool]] = [(root, TextStyle(), False)]
    while stack:
        element, look, tail = stack.pop()
        if tail:
            if element.tail and element.tail.strip():
                parent = element.getparent()
                yield TextRun(element.tail, look, element if parent is None else parent)
            continue
        if element.tag in _HIDDEN_TAGS or isinstance(element, _NON_ELEMENT_TYPES):
            continue
        style = parse_style(element.get("style") or "")
        if is_hidden(style):
            continue
        inner = _compute_style(element, style, look)
        if element.text and element.text.strip():
            yield TextRun(element.text, inner, element)
        for child in reversed(element):
            stack += ((child, inner, True), (child, inner, False))


@lru_cache(maxsize=2048)
def parse_style(text: str) -> Mapping[str, str]:
    """A ``style`` attribute's properties, in lower case."""
    pairs = (part.partition(":") for part in text.split(";"))
    return {
        name.strip().lower(): value.replace("!important", "").strip()
        for name, _, value in pairs
        if value
    }


def is_hidden(style: Mapping[str, str]) -> bool:
    """Whether nobody sees it."""
    return style.get("display") == "none" or style.get("visibility") == "hidden"


def parse_length(value: str, parent_size: float = _DEFAULT_FONT_SIZE) -> float | None:
    """A CSS length in pixels; ``None`` where it can't be told.

    Args:
        value: ``"17px"``, ``"1.2em"``, ``"90%"``.
        parent_size: the size of the font around it.
    """
    found = _LENGTH.fullmatch(value.strip())
    if found is None:
        return 0.0 if value.strip() == "0" else None
    number, unit = float(found[1]), found[2]
    if unit in _PIXELS_PER_UNIT:
        return number * _PIXELS_PER_UNIT[unit]
    return number * parent_size / (100 if unit == "%" else 1)


def _compute_style(element: Element, style: Mapping[str, str], inherited: TextStyle) -> TextStyle:
    tag = element.tag
    ground = (
        parse_color(style.get("background-color", ""))
        or parse_color(style.get("background", ""))
        or parse_color(element.get("bgcolor") or "")
        or inherited.background
    )
    ink = (
        parse_color(style.get("color", ""))
        or parse_color(element.get("color") or "")
        or inherited.color
    )
    size = parse_length(style.get("font-size", ""), inherited.font_size)
    if size is None:
        size = _TAG_FONT_SIZES.get(tag, inherited.font_size)
    bold = _is_bold(style.get("font-weight", ""), inherited.bold or tag in _BOLD_TAGS)
    made = TextStyle(ink, ground, size, bold, inherited.raised or tag in {"sup", "sub"})
    return inherited if made == inherited else made


def _is_bold(weight: str, inherited: bool) -> bool:  # noqa: FBT001 - what it is if nothing is said
    if weight.isdigit():
        return int(weight) >= _MIN_BOLD_WEIGHT
    return {"bold": True, "bolder": True, "normal": False}.get(weight, inherited)
