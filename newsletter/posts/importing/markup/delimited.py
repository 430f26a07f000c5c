"""Find what stands between two delimiters such as ``{%`` and ``%}``."""

from collections.abc import Iterator
from typing import NamedTuple

from newsletter.posts.importing.markup.edits import Ranges
from newsletter.posts.importing.markup.tags import MAX_TAG_LENGTH


class Delimited(NamedTuple):
    """A passage between delimiters, with them, and the text inside."""

    start: int
    end: int
    inside: str


def iter_delimited(text: str, opening: str, closing: str, protected: Ranges) -> Iterator[Delimited]:
    """Yield the passages outside of ``protected``; one that begins in another ends that one."""
    start = text.find(opening)
    while start >= 0:
        inner_start = start + len(opening)
        next_start = text.find(opening, inner_start)
        limit = inner_start + MAX_TAG_LENGTH
        last_start = limit if next_start < 0 else min(limit, next_start + len(closing) - 1)
        end = text.find(closing, inner_start, last_start)
        if end >= 0 and start not in protected:
            yield Delimited(start, end + len(closing), text[inner_start:end])
            next_start = text.find(opening, end + len(closing))
        start = next_start
