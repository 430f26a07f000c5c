"""Show the position of an error in a query with carets under the word."""

import re
from typing import NamedTuple
from unicodedata import category

from wcwidth import wcswidth

EXAMPLE_QUERY = "tag:vip and joined >= 2026-01-01 and not opened:last-5"
# Columns of the terminal for the query's line, after an indent of two.
_LINE_WIDTH = 76
_CONTEXT_WIDTH = 30
_WORD = re.compile(r"""[^\s()"']+|.""", re.DOTALL)


class Span(NamedTuple):
    """A part of a text: the index of its first character and its length."""

    start: int
    length: int


def word_at(text: str, start: int) -> Span:
    """Return the span of the word that begins at ``start``, or one character after the end."""
    found = _WORD.match(text, start)
    return Span(start, len(found[0]) if found else 1)


def format_with_carets(message: str, text: str, span: Span) -> str:
    """Return ``message`` and, below it, the part of ``text`` around ``span`` with carets."""
    flat = "".join(_printable(char) for char in text)
    start = max(0, span.start - _CONTEXT_WIDTH) if len(flat) > _LINE_WIDTH else 0
    end = start + _LINE_WIDTH - 2
    head, tail = "…" if start else "", "…" if end < len(flat) else ""
    before = head + flat[start : span.start]
    marked = flat[span.start : min(span.start + span.length, end)]
    carets = "^" * max(1, _display_width(marked))
    return f"{message}\n  {head}{flat[start:end]}{tail}\n  {' ' * _display_width(before)}{carets}"


def _printable(char: str) -> str:
    if char.isspace():
        return " "
    # A bidirectional mark would move the text away from its carets.
    return "\ufffd" if category(char) in {"Cc", "Cs", "Cf"} else char


def _display_width(text: str) -> int:
    return max(0, wcswidth(text))
