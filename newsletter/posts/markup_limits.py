"""Refuse a body with more markup than people write, before it is parsed.

The time of an import grows with the number of lines, marks and images, not of words: 200 kB
of prose take a fifth of a second, of brackets ten. The limits keep a post of that size within two
seconds, and are several times what the longest real posts have.
"""

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
    _IMAGES,
)
_HTML_LIMITS = (_Limit(re.compile(r"[<>&]|\{[{%]"), 60_000, "marks of HTML (<, > and &)"), _IMAGES)


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
