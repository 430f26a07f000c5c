"""What a reader sees of a mail: its runs of text with the colours and size they are shown in.

Only inlined styles and old attributes count, as in most clients; rules in ``<style>`` don't.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from newsletter.checks.analysis.color import RGB, WHITE, colour
from newsletter.render.article.dom import Element

_UNSEEN = frozenset({"head", "script", "style", "title", "template", "noscript"})
_NO_TEXT = (etree._Comment, etree._ProcessingInstruction)  # noqa: SLF001 - lxml names them so
_SIZE = re.compile(r"(\d{1,6}(?:\.\d+)?|\.\d+)(px|pt|em|rem|%)")
_NAMED_SIZES = {"h1": 32.0, "h2": 24.0, "h3": 18.7, "h5": 13.3, "h6": 10.7}
_BOLD_TAGS = frozenset({"b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"})
_BOLD = 600
_DEFAULT = 16.0
_RATIOS = {"pt": 4 / 3, "rem": _DEFAULT, "px": 1.0}


@dataclass(frozen=True, slots=True)
class Look:
    """How text is shown.

    Attributes:
        ink: the text's colour.
        ground: what is behind it.
        size: of the font, in CSS pixels.
        bold: whether it is.
        raised: whether it stands above or below the line (``sup``, ``sub``).
    """

    ink: RGB = (0, 0, 0)
    ground: RGB = WHITE
    size: float = _DEFAULT
    bold: bool = False
    raised: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """Text that one element holds directly.

    Attributes:
        text: with its white space.
        look: how it is shown.
        element: which holds it.
    """

    text: str
    look: Look
    element: Element


def runs_of(root: Element) -> Iterator[Run]:
    """Every run of text that is seen, in order."""
    stack: list[tuple[Element, Look, bool]] = [(root, Look(), False)]
    while stack:
        element, look, tail = stack.pop()
        if tail:
            if element.tail and element.tail.strip():
                parent = element.getparent()
                yield Run(element.tail, look, element if parent is None else parent)
            continue
        if element.tag in _UNSEEN or isinstance(element, _NO_TEXT):
            continue
        style = styles(element.get("style") or "")
        if hidden(style):
            continue
        inner = _inside(element, style, look)
        if element.text and element.text.strip():
            yield Run(element.text, inner, element)
        for child in reversed(element):
            stack += ((child, inner, True), (child, inner, False))


@lru_cache(maxsize=2048)
def styles(text: str) -> Mapping[str, str]:
    """A ``style`` attribute's properties, in lower case."""
    pairs = (part.partition(":") for part in text.split(";"))
    return {
        name.strip().lower(): value.replace("!important", "").strip()
        for name, _, value in pairs
        if value
    }


def hidden(style: Mapping[str, str]) -> bool:
    """Whether nobody sees it."""
    return style.get("display") == "none" or style.get("visibility") == "hidden"


def pixels(value: str, around: float = _DEFAULT) -> float | None:
    """A CSS length in pixels; ``None`` where it can't be told.

    Args:
        value: ``"17px"``, ``"1.2em"``, ``"90%"``.
        around: the size of the font around it.
    """
    found = _SIZE.fullmatch(value.strip())
    if found is None:
        return 0.0 if value.strip() == "0" else None
    number, unit = float(found[1]), found[2]
    if unit in _RATIOS:
        return number * _RATIOS[unit]
    return number * around / (100 if unit == "%" else 1)


def _inside(element: Element, style: Mapping[str, str], look: Look) -> Look:
    tag = element.tag
    ground = (
        colour(style.get("background-color", ""))
        or colour(style.get("background", ""))
        or colour(element.get("bgcolor") or "")
        or look.ground
    )
    ink = colour(style.get("color", "")) or colour(element.get("color") or "") or look.ink
    size = pixels(style.get("font-size", ""), look.size)
    if size is None:
        size = _NAMED_SIZES.get(tag, look.size)
    bold = _bold(style.get("font-weight", ""), look.bold or tag in _BOLD_TAGS)
    made = Look(ink, ground, size, bold, look.raised or tag in {"sup", "sub"})
    return look if made == look else made


def _bold(weight: str, inherited: bool) -> bool:  # noqa: FBT001 - what it is if nothing is said
    if weight.isdigit():
        return int(weight) >= _BOLD
    return {"bold": True, "bolder": True, "normal": False}.get(weight, inherited)
