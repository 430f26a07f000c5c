"""Find line ends in Chinese and Japanese text."""

import re

# Han, kana, bopomofo, their punctuation and full-width forms. Korean has spaces between words.
_CJK = "\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
_CJK_LINE_END = re.compile(rf"(?<=[{_CJK}])[ \t]*\r?\n[ \t\r\n]*(?=[{_CJK}])")


def find_cjk_line_ends(text: str) -> list[tuple[int, int]]:
    """Return start and end of each line end between two CJK characters, with spaces around it."""
    return [found.span() for found in _CJK_LINE_END.finditer(text)]


def collapse_spaces(text: str) -> str:
    """Return a text on one line; a line end between two CJK characters is no space."""
    return " ".join(_CJK_LINE_END.sub("", text).split())
