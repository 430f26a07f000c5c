"""Wrap plain text, measured in columns (UAX #11, East Asian Width)."""

import re
from collections.abc import Iterator

_CJK = (
    "\u2e80-\u2fff\u3003-\u3007\u3012-\u30ff\u3105-\u312f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff02-\uffdc\U00020000-\U0003ffff"
)
# JIS X 4051: characters that may not end a line, and those that may not begin one (or that belong
# to the previous character).
_NO_LINE_END = (
    "\u2018\u201c\u3008\u300a\u300c\u300e\u3010\u3014\u3016\u3018\u301a\uff08\uff3b\uff5b"
)
_NO_LINE_START = (
    "\u2019\u201d\u2025\u2026\u3001\u3002\u3005\u3009\u300b\u300d\u300f\u3011\u3015\u3017\u3019"
    "\u301b\u3041\u3043\u3045\u3047\u3049\u3063\u3083\u3085\u3087\u308e\u3099-\u309e\u30a1\u30a3"
    "\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\u30ee\u30f5\u30f6\u30fb-\u30fe\ufe00-\ufe0f\uff01"
    "\uff09\uff0c\uff0e\uff1a\uff1b\uff1f\uff3d\uff5d\uff61\uff63\uff64\U000e0100-\U000e01ef"
)
_HAS_CJK = re.compile(f"[{_CJK}\u200b]")
_UNBREAKABLE = re.compile(
    f"[{_NO_LINE_END}]*(?:[{_CJK}]|[^{_CJK}{_NO_LINE_END}{_NO_LINE_START}\u200b]+)?[{_NO_LINE_START}]*",
    re.DOTALL,
)
_ZERO_WIDTH_SPACE = "\u200b"
# Characters of one column each: most European text needs no further measuring.
_SINGLE_WIDTH = re.compile("[ -~\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e]*")


def get_display_width(text: str) -> int:
    """Return the number of columns that ``text`` takes."""
    if _SINGLE_WIDTH.fullmatch(text):
        return len(text)
    from wcwidth import wcswidth  # late: few posts need its tables

    return max(0, wcswidth(text))


def wrap_text(text: str, width: int) -> list[str]:
    r"""Break ``text`` into lines of at most ``width`` columns.

    Breaks at spaces, and between characters of scripts without spaces; never in a URL or a merge
    token, which then get a longer line of their own. ``\n`` is a forced line break.
    """
    return [line for part in text.split("\n") for line in _wrap_line(part, width)]


def _wrap_line(text: str, width: int) -> Iterator[str]:
    if _SINGLE_WIDTH.fullmatch(text):
        yield from _wrap_single_width(text, width)
        return
    line, used = "", 0
    for word in text.split(" "):
        gap = " " if line else ""
        for piece in _split_word(word):
            size = get_display_width(piece)
            if line and used + len(gap) + size > width:
                yield line
                line, used = piece, size
            else:
                line, used = line + gap + piece, used + len(gap) + size
            gap = ""
    yield line


def _wrap_single_width(text: str, width: int) -> Iterator[str]:
    """Yield the lines of text whose characters take one column each; faster."""
    start = 0
    while len(text) - start > width:
        end = text.rfind(" ", start, start + width + 1)
        if end < 0:
            end = text.find(" ", start + width)
        if end < 0:
            break
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _split_word(word: str) -> list[str]:
    """Return the pieces of a word that may be on different lines."""
    if not _HAS_CJK.search(word):
        return [word]
    parts = word.split(_ZERO_WIDTH_SPACE)
    return [piece for part in parts for piece in _UNBREAKABLE.findall(part) if piece]
