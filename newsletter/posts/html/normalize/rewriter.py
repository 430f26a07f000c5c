"""Rewrite the tags of HTML in one pass."""

import re
from bisect import bisect
from collections.abc import Collection

from newsletter.posts.html.normalize.marked_elements import (
    LINE_ATTRIBUTE,
    REASON_ATTRIBUTE,
    mark_left_out,
    parse_line_mark,
)
from newsletter.posts.html.normalize.tags import Tag, find_raw_text_end, format_start_tag
from newsletter.posts.html.normalize.unseen_text import find_removal_reason


class HtmlRewriter:
    """Writer of a changed copy of an HTML text; what isn't replaced stays as it is.

    Args:
        text: HTML.
        first_line: 1-based line of the source on which it begins.
        keep: lines of the source where nothing is left out.

    Attributes:
        text: the HTML as it was.
        position: offset up to which the copy is written.
        parts: the copy so far.
    """

    def __init__(self, text: str, first_line: int, keep: Collection[int]) -> None:
        self.text = text
        self.position = 0
        self.parts: list[str] = []
        self._lower = text.lower() if len(text.lower()) == len(text) else text
        self._first_line = first_line
        self._keep = keep
        self._line_starts = [found.end() for found in re.finditer("\n", text)]
        self._next_ends: dict[str, int] = {}

    def get_result(self) -> str:
        """Return the whole copy."""
        return "".join((*self.parts, self.text[self.position :]))

    def replace(self, start: int, end: int, replacement: str) -> None:
        """Write ``replacement`` for the text from ``start`` to ``end``; what is before stays."""
        self.parts += (self.text[self.position : start], replacement)
        self.position = end

    def copy(self, end: int) -> None:
        """Write the text up to ``end`` as it is."""
        self.replace(end, end, "")

    def write_element(
        self, tag: Tag, name: str, attributes: dict[str, str], end: int, end_tag: str = ""
    ) -> None:
        """Write a start tag, marked if need be, in place of the text from ``tag`` to ``end``."""
        reason = find_removal_reason(tag.name, attributes)
        line = self.get_line(tag)
        if reason and line in self._keep:
            for key in ("class", "hidden", "aria-hidden"):
                attributes.pop(key, None)
        elif reason:
            attributes.setdefault(REASON_ATTRIBUTE, reason)
            attributes.setdefault(LINE_ATTRIBUTE, str(line))
        self.replace(tag.start, end, format_start_tag(name, attributes) + end_tag)

    def mark(self, tag: Tag, reason: str, text: str) -> str:
        """Return an element that lists ``text`` as left out; nothing if the text is blank."""
        return mark_left_out(text, reason, self.get_line(tag)) if text.strip() else ""

    def get_line(self, tag: Tag) -> int:
        """Return the source line of a tag: as an earlier pass marked it, else as counted."""
        if known := parse_line_mark(tag.attributes.get(LINE_ATTRIBUTE, "")):
            return known
        return self._first_line + bisect(self._line_starts, tag.start)

    def find_end_tag(self, tag: Tag) -> int:
        """Return the offset of the next end tag of the same name; -1 if there is none."""
        if tag.is_self_closed:
            return -1
        end = self._next_ends.get(tag.name, 0)
        if 0 <= end < tag.end:
            end = self._next_ends[tag.name] = self._lower.find(f"</{tag.name}", tag.end)
        return end

    def split_raw_text(self, tag: Tag) -> tuple[str, int]:
        """Return the text in a script or its like, and the offset after its end tag."""
        if tag.is_self_closed:
            return "", tag.end
        end = find_raw_text_end(self.text, tag)
        return self.text[tag.end : end], self.find_tag_end(end)

    def find_tag_end(self, start: int) -> int:
        """Return the offset after the tag that begins at ``start``."""
        return self.text.find(">", start) + 1 or len(self.text)
