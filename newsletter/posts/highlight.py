"""Code in colour, quietly: few hues, inline, readable on a light code ground."""

from functools import lru_cache
from html import escape

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.style import Style
from pygments.token import (
    Comment,
    Generic,
    Keyword,
    Name,
    Number,
    Operator,
    String,
    Token,
)
from pygments.util import ClassNotFound


class _Quiet(Style):
    """Each colour has a contrast of 4.5:1 or more on ``#f6f4f0`` (WCAG 2.2, 1.4.3).

    What is not named here stays in the text's colour: fewer spans make a smaller mail.
    """

    styles = {  # noqa: RUF012 - the base class's own attribute
        Token: "",
        Comment: "italic #667079",
        Keyword: "#1f5f8b",
        Operator.Word: "#1f5f8b",
        Name.Tag: "#1f5f8b",
        String: "#3d6b35",
        Number: "#8a4b14",
        Keyword.Constant: "#8a4b14",
        Name.Decorator: "#8a4b14",
        Name.Function: "#6a3f8f",
        Name.Class: "#6a3f8f",
        Generic.Deleted: "#a12b2b",
        Generic.Inserted: "#3d6b35",
        Generic.Heading: "bold",
        Generic.Strong: "bold",
        Generic.Emph: "italic",
    }


_FORMATTER: "HtmlFormatter[str]" = HtmlFormatter(noclasses=True, nowrap=True, style=_Quiet)


def highlighted(code: str, language: str) -> str:
    """Return ``code`` as HTML with coloured spans; plain where the language is unknown.

    Every line break and all leading and trailing white space stay.
    """
    lexer = _lexer(language)
    return escape(code, quote=False) if lexer is None else highlight(code, lexer, _FORMATTER)


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False) if language else None
    except ClassNotFound:
        return None
