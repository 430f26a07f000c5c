"""Replace passages of a text line by line, and list what was replaced.

A replacement never changes the number of lines, so that the lines of all later messages are those
of the source.
"""

import re
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from newsletter.posts.removed_line import RemovedLine

_QUOTED_VALUE = re.compile(r"\"[^\"\n]*\"|(?<=[=\s])'[^'\n]*'")
# Nobody reads these values, which may be in the markup, too.
_SIZE_ATTRIBUTE = re.compile(r"\b(?:width|height|class|id)=(?:\"[^\"<>]*\"|'[^'<>]*')")
_WORD = re.compile(r"\w+")


class Edit(NamedTuple):
    """A replacement of one passage.

    Attributes:
        start: offset of the passage.
        end: offset behind it; an insertion has ``start == end``.
        text: what stands there afterwards, without line ends.
        why: the kind of markup and what it became; empty if nothing is to be listed.
        removed: the markup that is listed; the whole passage if empty.
        group: offset that edits of one element share; they are made all or none.
    """

    start: int
    end: int
    text: str
    why: str = ""
    removed: str = ""
    group: int = -1

    @property
    def element(self) -> int:
        """The offset that stands for the element that it belongs to."""
        return self.start if self.group < 0 else self.group


class EditedText(NamedTuple):
    """A text after its edits, and the list of what they replaced."""

    text: str
    removed: tuple[RemovedLine, ...] = ()


def apply_edits(
    text: str, edits: Iterable[Edit], first_line: int = 1, keep: Collection[int] = ()
) -> EditedText:
    """Make edits; of two that overlap, the one that begins later is not made.

    Args:
        text: a post's body.
        edits: the edits, in any order.
        first_line: 1-based line in the file on which ``text`` begins.
        keep: lines (1-based) that stay as they are.
    """
    ordered = sorted(edits, key=lambda edit: (edit.start, edit.end > edit.start, -edit.end))
    line_starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]

    def get_line(offset: int) -> int:
        return first_line + bisect_right(line_starts, offset) - 1

    kept_elements = {
        edit.element
        for edit in ordered
        if any(get_line(edit.start) <= line <= get_line(edit.end) for line in keep)
    }
    parts: list[str] = []
    removed: list[RemovedLine] = []
    position = 0
    for edit in ordered:
        if edit.start < position or edit.element in kept_elements:
            continue
        source = text[edit.start : edit.end]
        missing_line_ends = "\n" * (source.count("\n") - edit.text.count("\n"))
        parts += (text[position : edit.start], edit.text, missing_line_ends)
        position = edit.end
        if edit.why:
            listed = _omit_kept_values(edit.removed or source, edit.text)
            removed.append(RemovedLine(get_line(edit.start), " ".join(listed.split()), edit.why))
    return EditedText("".join((*parts, text[position:])), tuple(removed))


def _omit_kept_values(markup: str, kept: str) -> str:
    """Return markup with an ellipsis for each quoted value that stays, such as a caption.

    What is listed as removed is not missed in the email: so it must not hold what stays.
    """
    if not kept:
        return markup
    kept_words = set(_WORD.findall(_SIZE_ATTRIBUTE.sub("", kept)))
    return _QUOTED_VALUE.sub(
        lambda value: (
            f"{value[0][0]}\u2026{value[0][0]}"
            if (words := _WORD.findall(value[0])) and kept_words.issuperset(words)
            else value[0]
        ),
        markup,
    )


class Ranges:
    """Passages of a text that are left alone: code, comments."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        merged: list[tuple[int, int]] = []
        for start, end in sorted(ranges):
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((start, end))
        self._starts: Sequence[int] = [start for start, _ in merged]
        self._ends: Sequence[int] = [end for _, end in merged]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def __contains__(self, offset: int) -> bool:
        """Whether a passage covers the character at ``offset``."""
        return self.get_range(offset) is not None

    def get_range(self, offset: int) -> tuple[int, int] | None:
        """Return the passage that covers ``offset``, if there is one."""
        index = bisect_right(self._starts, offset) - 1
        if index >= 0 and offset < self._ends[index]:
            return self._starts[index], self._ends[index]
        return None
