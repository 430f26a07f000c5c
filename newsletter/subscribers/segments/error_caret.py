"""Shows where in a query the fault is: the query, and carets under the word."""

import re
from typing import NamedTuple
from unicodedata import category

from wcwidth import wcswidth

EXAMPLE = "tag:vip and joined >= 2026-01-01 and not opened:last-5"
# Columns that the terminal has for the query's line, after two spaces.
_WIDE = 76
_BEFORE = 30
_WORD = re.compile(r"""[^\s()"']+|.""", re.DOTALL)


class Span(NamedTuple):
    """A part of a text: its first character, and how many there are."""

    at: int
    length: int


def word_at(text: str, at: int) -> Span:
    """The word that begins at ``at``; one column behind the text's end if it is over."""
    found = _WORD.match(text, at)
    return Span(at, len(found[0]) if found else 1)


def point(why: str, text: str, span: Span) -> str:
    """``why``, and below it the part of ``text`` that is meant, with carets under it."""
    flat = "".join(_shown(char) for char in text)
    start = max(0, span.at - _BEFORE) if len(flat) > _WIDE else 0
    end = start + _WIDE - 2
    head, tail = "…" if start else "", "…" if end < len(flat) else ""
    before = head + flat[start : span.at]
    marked = flat[span.at : min(span.at + span.length, end)]
    carets = "^" * max(1, _columns(marked))
    return f"{why}\n  {head}{flat[start:end]}{tail}\n  {' ' * _columns(before)}{carets}"


def _shown(char: str) -> str:
    if char.isspace():
        return " "
    # A bidirectional mark would move the words above their carets.
    return "\ufffd" if category(char) in {"Cc", "Cs", "Cf"} else char


def _columns(text: str) -> int:
    return max(0, wcswidth(text))
