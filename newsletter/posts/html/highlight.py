"""Code in colour, quietly: few hues, inline, readable on a light code ground."""

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

# Each colour has a contrast of 4.5:1 or more on ``#f6f4f0`` (WCAG 2.2, 1.4.3). What is not named
# here stays in the text's colour: fewer spans make a smaller mail. Written as the sanitiser writes
# styles, so that it leaves them as they are.
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


def highlight_code(code: str, language: str) -> str:
    """Return ``code`` as HTML with coloured spans; plain where the language is unknown.

    Every line break and all leading and trailing white space stay. No span crosses a line.
    """
    lexer = _find_lexer(language)
    if lexer is None:
        return escape(code, quote=False)
    runs = groupby(_iter_styled_text(lexer, code), itemgetter(0))
    return "".join(_format_span(style, "".join(text for _, text in run)) for style, run in runs)


def _iter_styled_text(lexer: Lexer, code: str) -> Iterator[tuple[str, str]]:
    """Style and text of each token, cut at line breaks, which have no style."""
    for kind, text in lexer.get_tokens(code):
        style = _get_style(kind)
        if style and "\n" in text:
            for part in _LINE_BREAK.split(text):
                if part:
                    yield ("" if part == "\n" else style), part
        elif text:
            yield style, text


def _format_span(style: str, text: str) -> str:
    inside = escape(text, quote=False)
    return f'<span style="{style}">{inside}</span>' if style else inside


@lru_cache(maxsize=256)
def _get_style(token_type: _TokenType | None) -> str:
    """Its own, or that of the nearest kind it belongs to."""
    if token_type is None:
        return ""
    return (
        _STYLE_BY_TOKEN_TYPE[token_type]
        if token_type in _STYLE_BY_TOKEN_TYPE
        else _get_style(token_type.parent)
    )


@lru_cache(maxsize=64)
def _find_lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None
