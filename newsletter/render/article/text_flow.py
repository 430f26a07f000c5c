"""Join lines of CJK text; set the direction of code."""

from collections.abc import Iterator
from typing import Literal

from newsletter.posts.html.cjk import find_cjk_line_ends
from newsletter.render.article.dom import BLOCKS, Element

_CODE_TAGS = ("code", "kbd", "samp", "tt", "pre")
_KEPT_TAGS = frozenset({"pre"})
_BREAKING_TAGS = frozenset({"br", "img"})

_Slot = tuple[Element, Literal["text", "tail"]]


def join_cjk_lines(root: Element) -> None:
    """Remove each line end between two CJK characters, where a browser would show a space."""
    if not find_cjk_line_ends("".join(map(str, root.itertext()))):
        return
    for run in _iter_runs(root):
        whole = "".join(_get_text(slot) for slot in run)
        cuts = find_cjk_line_ends(whole)
        start = 0
        for slot in run if cuts else ():
            text = _get_text(slot)
            kept = (
                char
                for offset, char in enumerate(text, start)
                if not any(first <= offset < end for first, end in cuts)
            )
            _set_text(slot, "".join(kept))
            start += len(text)


def _iter_runs(root: Element) -> Iterator[list[_Slot]]:
    """Yield the texts between two ends of lines or blocks."""
    run: list[_Slot] = []
    for slot in _iter_slots(root):
        if slot is None:
            yield run
            run = []
        else:
            run.append(slot)
    yield run


def _iter_slots(element: Element) -> Iterator[_Slot | None]:
    """Yield each text of an element, in order; ``None`` where a line or a block ends."""
    is_break = element.tag in BLOCKS or element.tag in _BREAKING_TAGS
    if is_break:
        yield None
    if element.tag not in _KEPT_TAGS:
        yield element, "text"
        for child in element:
            yield from _iter_slots(child)
            yield child, "tail"
    if is_break:
        yield None


def _get_text(slot: _Slot) -> str:
    return getattr(slot[0], slot[1]) or ""


def _set_text(slot: _Slot, text: str) -> None:
    setattr(slot[0], slot[1], text or None)


def set_code_direction(root: Element, direction: str) -> None:
    """Give code in right-to-left text its own direction, unless the author gave it one."""
    for code in root.iter(*_CODE_TAGS):
        if code.get("dir") is not None:
            continue
        around = next((e.get("dir") for e in code.iterancestors() if e.get("dir")), direction)
        if around == "rtl":
            code.set("dir", "ltr")
