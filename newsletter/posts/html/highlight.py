"""Syntax highlighting of code: few colors, inline styles."""

import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape
from itertools import groupby
from operator import itemgetter

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.token import (
    Comment,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    _TokenType,
)
from pygments.util import ClassNotFound

# Each colour has a contrast of 4.5:1 or more on ``#f6f4f0`` (WCAG 2.2, 1.4.3). Other tokens keep
# the text's colour: fewer spans make a smaller email. Styles are written as the sanitiser writes
# them, so that it doesn't change them.
_STYLE_BY_TOKEN_TYPE = {
    Comment: "color:#667079;font-style:italic",
    Keyword: "color:#1F5F8B",
    Operator.Word: "color:#1F5F8B",
    Name.Tag: "color:#1F5F8B",
    String: "color:#3D6B35",
    Number: "color:#8A4B14",
    Keyword.Constant: "color:#8A4B14",
    Name.Decorator: "color:#8A4B14",
    Name.Function: "color:#6A3F8F",
    Name.Class: "color:#6A3F8F",
    Generic.Deleted: "color:#A12B2B",
    Generic.Inserted: "color:#3D6B35",
    Generic.Heading: "font-weight:bold",
    Generic.Strong: "font-weight:bold",
    Generic.Emph: "font-style:italic",
}
_LINE_BREAK = re.compile("(\n)")


@lru_cache(maxsize=128)  # the code of a post stays the same while its words are written
def highlight_code(code: str, language: str) -> str:
    """Return ``code`` as HTML with coloured spans; without spans if the language is unknown.

    Line breaks and leading and trailing white space are kept. No span crosses a line break.
    """
    lexer = _find_lexer(language)
    if lexer is None:
        return escape(code, quote=False)
    runs = groupby(_iter_styled_text(lexer, code), itemgetter(0))
    parts: list[str] = []
    for style, run in runs:
        escaped = escape("".join(text for _, text in run), quote=False)
        parts.append(f'<span style="{style}">{escaped}</span>' if style else escaped)
    return "".join(parts)


def _iter_styled_text(lexer: Lexer, code: str) -> Iterator[tuple[str, str]]:
    """Yield style and text of each token, split at line breaks, which have no style."""
    for kind, text in lexer.get_tokens(code):
        style = _get_style(kind)
        if style and "\n" in text:
            for part in _LINE_BREAK.split(text):
                if part:
                    yield ("" if part == "\n" else style), part
        elif text:
            yield style, text


@lru_cache(maxsize=256)
def _get_style(token_type: _TokenType | None) -> str:
    """Return the style of a token type, or of its nearest parent that has one."""
    if token_type is None:
        return ""
    if token_type in _STYLE_BY_TOKEN_TYPE:
        return _STYLE_BY_TOKEN_TYPE[token_type]
    return _get_style(token_type.parent)


@lru_cache(maxsize=64)
def _find_lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None
