"""Parse plain text copied from a page, and format it as Markdown.

Conservative: what is not clearly a list, a heading or a rule stays a paragraph, and characters
that Markdown would interpret as markup are escaped (CommonMark 0.31, "Backslash escapes").
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from newsletter.posts.front_matter.parse import FrontMatter
from newsletter.posts.html.cjk import collapse_spaces
from newsletter.posts.importing.cleanup.classify import classify_passages
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.sources.draft import (
    ParsedSource,
    find_byline,
    find_opening,
    sort_removed_lines,
)

# In characters. If any line of the text is longer, every line is a paragraph of its own.
_MAX_WRAPPED_LENGTH = 100
_MIN_WRAPPED_WIDTH = 50  # columns; no program wraps text to less
_MAX_HEADING_WORDS = 10
_MAX_TITLE_LENGTH = 150

_BULLET = re.compile(r"[-*+•▪‣◦·●] +(?=\S)")
_NUMBER = re.compile(r"(?P<number>\d{1,3})[.)] +(?=\S)")
_THEMATIC_BREAK = re.compile(r"(?:[-*_=~–—•·⁂] ?){3,}|⁂")  # noqa: RUF001 - the pattern matches dashes
_UNDERLINE = re.compile(r"={3,}|-{3,}")
_URL = re.compile(r"https?://[^\s<>\"]*[^\s<>\".,;:!?)\]}'’”]")  # noqa: RUF001
_SPECIAL_CHARACTERS = re.compile(
    r"[\\`*\[{]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|~(?=~)|(?<=~)~"
)
_LINE_START = re.compile(r"(?:[#>|:=~+-]|\d+(?=[.)](?:\s|$)))")
# Control characters, line and paragraph separators: only the line ends of text editors count.
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A paragraph, or a list item (then ``kind`` is ``"-"`` or the item's number)."""

    lines: tuple[Passage, ...]
    kind: str = ""

    @property
    def text(self) -> str:
        return collapse_spaces("\n".join(line.text for line in self.lines))

    @property
    def is_prose(self) -> bool:
        return Passage(0, self.text).is_prose


def split_passages(text: str) -> list[Passage]:
    """Return the lines of ``text`` that are not blank, numbered from 1."""
    lines = [_CONTROL_CHARACTERS.sub(" ", line).strip() for line in re.split(r"\r\n|\n|\r", text)]
    wrapped = max(map(len, lines)) <= _MAX_WRAPPED_LENGTH
    padded_lines = ["", *lines, ""]
    return [
        Passage(
            number,
            line,
            is_standalone=not wrapped or not (padded_lines[number - 1] or padded_lines[number + 1]),
        )
        for number, line in enumerate(lines, start=1)
        if line
    ]


def find_title_line(passages: Sequence[Passage]) -> Passage | None:
    """Return the first line if it can be a title: short, not part of a wrapped paragraph."""
    if not passages:
        return None
    first, *rest = passages
    if len(first.text) > _MAX_TITLE_LENGTH or _THEMATIC_BREAK.fullmatch(first.text):
        return None
    if Passage(first.line, first.text).is_prose:
        return None
    continues = not first.is_standalone and rest and rest[0].text[:1].islower()
    return None if continues else first


def remove_title_line(passages: Sequence[Passage], title: Passage | None) -> list[Passage]:
    """Return the lines below the title and its underline; all lines if there is no title."""
    if title is None:
        return list(passages)
    rest = list(passages[1:])
    underlined = rest and rest[0].line == title.line + 1 and _UNDERLINE.fullmatch(rest[0].text)
    return rest[1:] if underlined else rest


def format_as_markdown(passages: Sequence[Passage]) -> str:
    """Format lines of plain text as Markdown."""
    pieces = [piece for block in _group_adjacent(passages) for piece in _split_pieces(block)]
    markdown_blocks: list[str] = []
    index = 0
    while index < len(pieces):
        items = _get_list(pieces, index)
        if items:
            markdown_blocks.append("\n".join(_format_item(piece) for piece in items))
            index += len(items)
            continue
        next_piece = pieces[index + 1] if index + 1 < len(pieces) else None
        if next_piece is not None and _is_underlined(pieces[index], next_piece):
            level = 2 if next_piece.text[0] == "=" else 3
            markdown_blocks.append(f"{'#' * level} {_format_heading_text(pieces[index])}")
            index += 2
            continue
        markdown_blocks.append(_format_paragraph(pieces[index], next_piece))
        index += 1
    return "\n\n".join(markdown_blocks) + "\n" if markdown_blocks else ""


def _group_adjacent(passages: Sequence[Passage]) -> Iterator[tuple[Passage, ...]]:
    """Yield groups of adjacent lines."""
    block: list[Passage] = []
    for line in passages:
        if block and (line.is_standalone or line.line != block[-1].line + 1):
            yield tuple(block)
            block = []
        block.append(line)
    if block:
        yield tuple(block)


def _split_pieces(block: tuple[Passage, ...]) -> Iterator[_Piece]:
    """Split a block where a list item, a rule or an underline starts."""
    marked = [bool(_get_list_marker(line)) for line in block]
    splits = marked[0] or sum(marked) > 1
    piece: list[Passage] = []
    for line, is_marked in zip(block, marked, strict=True):
        ends = bool(piece) and (
            (splits and is_marked)
            or _THEMATIC_BREAK.fullmatch(line.text)
            or _THEMATIC_BREAK.fullmatch(piece[-1].text)
        )
        if ends:
            yield _Piece(tuple(piece), _get_list_marker(piece[0]) if splits else "")
            piece = []
        piece.append(line)
    yield _Piece(tuple(piece), _get_list_marker(piece[0]) if splits else "")


def _get_list_marker(line: Passage) -> str:
    """Return ``"-"`` for a bullet, the number for a numbered item, else an empty string."""
    if _THEMATIC_BREAK.fullmatch(line.text):
        return ""
    if _BULLET.match(line.text):
        return "-"
    number = _NUMBER.match(line.text)
    return number["number"] if number else ""


def _get_list(pieces: Sequence[_Piece], start: int) -> Sequence[_Piece]:
    """Return the list that begins at ``start``: two items or more, numbers in order."""
    end = start
    while end < len(pieces) and pieces[end].kind:
        if end > start and not _is_next_item(pieces[end - 1].kind, pieces[end].kind):
            break
        end += 1
    return pieces[start:end] if end - start > 1 else ()


def _is_next_item(before: str, after: str) -> bool:
    if "-" in {before, after}:
        return before == after
    return int(after) == int(before) + 1


def _format_item(piece: _Piece) -> str:
    marker = "- " if piece.kind == "-" else f"{int(piece.kind)}. "
    first, *rest = (line.text for line in piece.lines)
    without_marker = (_BULLET if piece.kind == "-" else _NUMBER).sub("", first, count=1)
    indent = " " * len(marker)
    return marker + f"\n{indent}".join(
        escape_markdown_line(text) for text in (without_marker, *rest)
    )


def _is_underlined(piece: _Piece, next_piece: _Piece) -> bool:
    return (
        len(piece.lines) == 1
        and bool(_UNDERLINE.fullmatch(next_piece.text))
        and next_piece.lines[0].line == piece.lines[0].line + 1
        and not piece.is_prose
    )


def _format_paragraph(piece: _Piece, next_piece: _Piece | None) -> str:
    if _THEMATIC_BREAK.fullmatch(piece.text):
        return "* * *"
    if (
        next_piece is not None
        and next_piece.is_prose
        and not next_piece.kind
        and _is_heading(piece)
    ):
        return f"## {_format_heading_text(piece)}"
    line_end = "\\\n" if _has_own_line_ends(piece) else "\n"
    return line_end.join(escape_markdown_line(line.text) for line in piece.lines)


def _has_own_line_ends(piece: _Piece) -> bool:
    """Return whether the author ended the lines, as in a verse or an address.

    A program that wraps text puts as many words on each line as fit. So lines are the author's
    own if half of them had room for the next word, up to the widest or to a narrow page's width.
    """
    texts = [line.text for line in piece.lines]
    width = max(_MIN_WRAPPED_WIDTH, *map(_measure, texts))
    roomy = [
        _measure(text) + 1 + _measure(_get_first_word(following)) <= width
        for text, following in pairwise(texts)
    ]
    return sum(roomy) * 2 >= len(roomy) > 0


def _get_first_word(text: str) -> str:
    word = text.split(maxsplit=1)[0]
    return word[:1] if unicodedata.east_asian_width(word[0]) in "WF" else word


def _measure(text: str) -> int:
    """Return the number of columns that a text takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _is_heading(piece: _Piece) -> bool:
    """Return whether a piece followed by running text is its heading."""
    text = piece.text
    return (
        len(piece.lines) == 1
        and piece.lines[0].is_standalone
        and piece.lines[0].word_count <= _MAX_HEADING_WORDS
        and text[0].isalnum()
        and not text[0].islower()
        and (text[-1].isalnum() or text[-1] in "?)\"'\u2019\u201d")
    )


def _format_heading_text(piece: _Piece) -> str:
    return re.sub(r"#+$", lambda hashes: "\\#" * len(hashes[0]), escape_markdown_line(piece.text))


def escape_markdown_line(text: str) -> str:
    """Escape one line of plain text so that Markdown shows it unchanged; URLs become links."""
    parts: list[str] = []
    position = 0
    for url in _URL.finditer(text):
        parts += (_escape_special_characters(text[position : url.start()]), f"<{url[0]}>")
        position = url.end()
    parts.append(_escape_special_characters(text[position:]))
    escaped = "".join(parts)
    start = _LINE_START.match(escaped)
    if start is None:
        return escaped
    cut = start.end() if start[0].isdigit() else 0
    return f"{escaped[:cut]}\\{escaped[cut:]}"


def _escape_special_characters(text: str) -> str:
    return _SPECIAL_CHARACTERS.sub(lambda found: "\\" + found[0], text)


def parse_plain_text_source(front_matter: FrontMatter, keep: Collection[int]) -> ParsedSource:
    """Parse plain text copied from a page; ``keep`` are lines that are not removed."""
    passages = split_passages(front_matter.body)
    classification = classify_passages(passages, keep)
    kept = [passages[index] for index in classification.kept]
    title = find_title_line(kept)
    byline = find_byline(passages, classification, keep, title)
    body = [
        passage
        for passage in remove_title_line(kept, title)
        if passage.line not in byline.line_numbers
    ]
    return ParsedSource(
        body=format_as_markdown(body),
        opening=find_opening(body),
        title=title.text.replace("{{", '{{ "{{" }}') if title else "",  # no merge tag of ours
        author=byline.author,
        date=byline.date,
        removed=sort_removed_lines(classification, byline),
        set_aside=classification.set_aside,
    )
