r"""Make paragraphs and line breaks of the classic editor's text.

WordPress stores what the author typed, and makes paragraphs of it when it shows it
(https://developer.wordpress.org/reference/functions/wpautop/): a blank line ends a paragraph, a
single one breaks the line; what is in ``<pre>``, lists and tables stays as it is. Line ends stay,
so that every line of the result is that of the source.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_TOKEN = re.compile(r"<(?:!--|(?P<close>/)?(?P<name>[a-z][a-z0-9-]*)(?=[\s/>]))", re.IGNORECASE)
_BLANK_LINES = re.compile(r"(\n[ \t]*(?:\n[ \t]*)+)")
_RAW_TAGS = frozenset("pre script style textarea select object audio video svg math iframe".split())
_BLOCK_TAGS = frozenset(
    """
    address article aside blockquote caption center col colgroup dd details dir div dl dt fieldset
    figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr iframe legend li main map menu
    nav ol p pre script section style summary table tbody td tfoot th thead tr ul
    """.split()
)
_MEDIA_TAGS = frozenset({"img", "picture", "embed", "input", "button"})
_VOID_TAGS = frozenset({"hr", "col"})
_MAX_DEPTH = 500  # of block elements; beyond it, no article is well-formed
# In these, a blank line separates paragraphs; a text alone in one of the second needs none.
_CONTAINERS = frozenset({"", "blockquote"})
_LOOSE_CONTAINERS = frozenset(
    "article aside center details div fieldset footer form header main nav section".split()
)
# These hold no paragraphs, but lines.
_LINE_TAGS = frozenset({"p", "address"})


class _Piece(NamedTuple):
    """A piece of HTML.

    Attributes:
        text: as written.
        name: the tag's name in lowercase; ``"!--"`` for a comment, empty for text.
        is_end: whether it is an end tag.
        is_whole: whether it is a whole element, which has to stay as it is.
    """

    text: str
    name: str = ""
    is_end: bool = False
    is_whole: bool = False


def add_paragraphs(text: str) -> str:
    """Return HTML with a ``<p>`` around each paragraph, and ``<br>`` at line ends within one."""
    writer = _ParagraphWriter()
    for piece in _iter_pieces(text):
        writer.add(piece)
    return writer.finish()


def _iter_pieces(text: str) -> Iterator[_Piece]:
    lowercase = text.lower() if text.isascii() else re.sub("[A-Z]+", lambda c: c[0].lower(), text)
    never_found: set[str] = set()  # so that each end is looked for in vain only once

    def find(end: str, start: int) -> int:
        found = -1 if end in never_found else lowercase.find(end, start)
        if found < 0:
            never_found.add(end)
        return found

    position = 0
    while tag := _TOKEN.search(text, position):
        name = (tag["name"] or "!--").lower()
        delimiter = "-->" if name == "!--" else ">"
        tag_end = find(delimiter, tag.end())
        if tag_end < 0:
            yield _Piece(text[position : tag.end()])
            position = tag.end()
            continue
        end = tag_end + len(delimiter)
        element_end = find(f"</{name}", end) if name in _RAW_TAGS and not tag["close"] else -1
        is_whole = element_end >= 0
        if is_whole:
            end = element_end + len(name) + 2
            end += lowercase[end : end + 1] == ">"
        if tag.start() > position:
            yield _Piece(text[position : tag.start()])
        yield _Piece(text[tag.start() : end], name, bool(tag["close"]), is_whole)
        position = end
    if position < len(text):
        yield _Piece(text[position:])


class _ParagraphWriter:
    """Writes pieces of HTML, and closes a paragraph at each blank line and block element."""

    def __init__(self) -> None:
        self._out: list[str] = []
        self._paragraph: list[_Piece] = []
        self._open: list[str] = []  # block elements
        self._is_after_blank_line = False

    def add(self, piece: _Piece) -> None:
        """Add the next piece."""
        if not piece.name:
            for index, part in enumerate(_BLANK_LINES.split(piece.text)):
                if index % 2:
                    self._end_paragraph(is_before_blank_line=True)
                    self._split_open_paragraph()
                    self._out.append(part)
                    self._is_after_blank_line = True
                elif part:
                    self._paragraph.append(_Piece(part))
        elif piece.name not in _BLOCK_TAGS:
            self._paragraph.append(piece)
        else:
            self._end_paragraph()
            self._is_after_blank_line = False
            self._out.append(piece.text)
            self._note_block(piece)

    def finish(self) -> str:
        """Return the whole text."""
        self._end_paragraph()
        return "".join(self._out)

    def _note_block(self, piece: _Piece) -> None:
        name = piece.name
        if piece.is_whole or name in _VOID_TAGS:
            return
        if self._open and self._open[-1] == "p":  # any block ends it
            self._open.pop()
        if not piece.is_end:
            if len(self._open) < _MAX_DEPTH:
                self._open.append(name)
        elif name in self._open:
            while self._open.pop() != name:
                pass

    def _split_open_paragraph(self) -> None:
        """Begin another ``<p>`` at a blank line in one that the author has written."""
        if self._open and self._open[-1] == "p":
            self._open.pop()
            self._out.append("</p>")

    def _end_paragraph(self, *, is_before_blank_line: bool = False) -> None:
        pieces, self._paragraph = self._paragraph, []
        container = self._open[-1] if self._open else ""
        is_paragraph = container in _CONTAINERS or (
            container in _LOOSE_CONTAINERS and (is_before_blank_line or self._is_after_blank_line)
        )
        has_lines = is_paragraph or container in _LINE_TAGS or container in _LOOSE_CONTAINERS
        if not has_lines or not any(map(_is_shown, pieces)):
            self._out += (piece.text for piece in pieces)
            return
        content = "".join(_break_lines(pieces))
        inner = content.strip()
        start = content.index(inner)
        opening, closing = ("<p>", "</p>") if is_paragraph else ("", "")
        self._out += (content[:start], opening, inner, closing, content[start + len(inner) :])


def _is_shown(piece: _Piece) -> bool:
    if piece.name:
        return piece.is_whole or (piece.name in _MEDIA_TAGS and not piece.is_end)
    return bool(piece.text.strip())


def _break_lines(pieces: Sequence[_Piece]) -> Iterator[str]:
    """Yield the pieces of one paragraph with ``<br>`` at its line ends, but not around it."""
    is_after_break = False
    for index, piece in enumerate(pieces):
        text = piece.text
        if not piece.name:
            # What is outside of the paragraph, or behind a <br>, is no line of its own.
            head = len(text) - len(text.lstrip()) if index == 0 or is_after_break else 0
            tail = len(text.rstrip()) if index == len(pieces) - 1 else len(text)
            text = text[:head] + text[head:tail].replace("\n", "<br>\n") + text[max(head, tail) :]
        yield text
        is_after_break = piece.name == "br"
