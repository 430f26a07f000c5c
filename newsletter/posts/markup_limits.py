"""Refuse a body with more markup than people write, before it is parsed.

The time of an import grows with the number of lines, marks and images, not of words: 200 kB
of prose take a fifth of a second, of brackets ten. The limits keep a post of that size within two
seconds, and are several times what the longest real posts have.
"""

import itertools
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from newsletter.errors import Location, PostError
from newsletter.posts.html.markdown import iter_markup_blocks

_MAX_LINES = 20_000


class _Limit(NamedTuple):
    """A limit on one kind of markup; ``name`` says in messages what is counted."""

    pattern: re.Pattern[str]
    maximum: int
    name: str


_IMAGES = _Limit(re.compile(r"!\[|<(?:img|amp-img)\b", re.IGNORECASE), 2_000, "images")
_MARKDOWN_LIMITS = (
    # What an inline rule of Markdown can begin with, and what ends a link.
    _Limit(
        re.compile(r"[][()!^<>&{}:@\\]|[*_~`=]+"),
        50_000,
        "brackets, stars and other marks of Markdown outside of code blocks",
    ),
    _Limit(re.compile(r"\|"), 20_000, "bars of table cells"),
    _Limit(re.compile(r"\[\^"), 2_500, "references to footnotes"),
    _Limit(re.compile(r"@|://|\bwww\."), 10_000, "addresses of pages and mailboxes"),
    _IMAGES,
)
_HTML_LIMITS = (_Limit(re.compile(r"[<>&]|\{[{%]"), 60_000, "marks of HTML (<, > and &)"), _IMAGES)

# The marks with which a line begins: of quotations and list items, one inside the other.
_CONTAINERS = re.compile(r"^[ \t]*(?:(?:>|[-+*]|\d{1,9}[.)])[ \t]+)+", re.MULTILINE)
_CONTAINER_MARK = re.compile(r"[>+*)-]|\d\.")
_MAX_CONTAINERS = 20_000
# A table has as many cells in each row as its delimiter row has (GFM, 4.10), however few are
# written; so what is short to write can be long.
_DELIMITER_ROW = re.compile(r"[ \t>|:-]+")
_COLUMN = re.compile(r"-+")
_MAX_CELLS = 12_000
_HTML_CELL = re.compile(r"<t[dh]\b", re.IGNORECASE)
_SPAN = re.compile(r"""\b(?:col|row)span\s*=\s*["']?\s*(\d{1,9})""", re.IGNORECASE)
_MAX_SPANNED_CELLS = 100_000
# A link definition (CommonMark, 4.7), with the lines on which its address and title may be. Each
# link that refers to it repeats them.
_DEFINITION = re.compile(
    r"^[ \t>]*\[(?!\^)[^\]\n]+\]:[^\n]*(?:\n(?![ \t]*(?:\[|\n|$))[^\n]*)*", re.MULTILINE
)
_MAX_REFERENCED_CHARACTERS = 5_000_000


def check_markup_limits(body: str, path: str, first_line: int, *, is_html: bool) -> None:
    """Reject a body with too many lines, marks or images.

    Args:
        body: the text after the front matter.
        path: its file, for messages.
        first_line: 1-based line in the file on which ``body`` begins.
        is_html: whether it is HTML; otherwise it is Markdown or plain text.

    Raises:
        PostError: there is too much of one, with the line on which it is.
    """
    if not is_html and body.count("\n") >= _MAX_LINES:
        raise _limit_error(f"{_MAX_LINES:,} lines", path, first_line + _MAX_LINES)
    for limit in _HTML_LIMITS if is_html else _MARKDOWN_LIMITS:
        if len(limit.pattern.findall(body)) <= limit.maximum:
            continue  # no code can be among it
        blocks = iter([(0, body)]) if is_html else iter_markup_blocks(body)
        line = _find_excess_line(limit, blocks)
        if line is not None:
            raise _limit_error(f"{limit.maximum:,} {limit.name}", path, first_line + line)
    for excess, find_excess in _EXPANSIONS[:1] if is_html else _EXPANSIONS:
        if (start := find_excess(body)) is not None:
            raise _limit_error(excess, path, first_line + body.count("\n", 0, start))


def _find_spanned_cells(body: str) -> int | None:
    spanned = 0
    starts = [cell.start() for cell in _HTML_CELL.finditer(body)]
    # To the next cell, not to the end of the tag: where no tag ends, each would reach to the end.
    for start, end in itertools.pairwise([*starts, len(body)]):
        spanned += math.prod(int(span) for span in _SPAN.findall(body, start, end))
        if spanned > _MAX_SPANNED_CELLS:
            return start
    return None


def _find_containers(body: str) -> int | None:
    count = 0
    for line in _CONTAINERS.finditer(body):
        count += len(_CONTAINER_MARK.findall(line[0]))
        if count > _MAX_CONTAINERS:
            return line.start()
    return None


def _find_padded_cells(body: str) -> int | None:
    start = columns = cells = 0
    for line in body.split("\n"):
        if not line.strip():
            columns = 0
        elif "|" in line and _DELIMITER_ROW.fullmatch(line):
            columns = max(columns, len(_COLUMN.findall(line)))
        cells += columns
        if cells > _MAX_CELLS:
            return start
        start += len(line) + 1
    return None


def _find_shared_definition(body: str) -> int | None:
    references = body.count("[")
    for definition in _DEFINITION.finditer(body):
        if len(definition[0]) * references > _MAX_REFERENCED_CHARACTERS:
            return definition.start()
    return None


# What is short to write and long when it is shown; the first is not only in Markdown.
_EXPANSIONS = (
    (f"{_MAX_SPANNED_CELLS:,} table cells, with those that others span", _find_spanned_cells),
    (f"{_MAX_CONTAINERS:,} marks of quotations and list items", _find_containers),
    (f"{_MAX_CELLS:,} table cells", _find_padded_cells),
    (f"{_MAX_REFERENCED_CHARACTERS:,} characters in links by reference", _find_shared_definition),
)


def _find_excess_line(limit: _Limit, blocks: Iterator[tuple[int, str]]) -> int | None:
    """Return the 0-based line of the first mark beyond the limit; ``None`` if there is none."""
    count = 0
    for start, text in blocks:
        for found in limit.pattern.finditer(text):
            count += 1
            if count > limit.maximum:
                return start + text.count("\n", 0, found.start())
    return None


def _limit_error(excess: str, path: str, line: int) -> PostError:
    return PostError(
        f"the post has more than {excess}",
        where=Location(path, line),
        remedy="Remove what is not text, or split it into several posts.",
    )
