"""Tables as plain text: columns that line up, or a list of records where they would not fit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.render.article.dom import Element
from newsletter.render.text.inline import Inline
from newsletter.render.text.wrap import columns, wrap

_GAP = "  "
_MOST_COLUMNS = 40
_NUMBER = re.compile(
    "[<>~\u2248]?[+\u2212-]?[$\u20ac\u00a3\u00a5]?\\s?\\d[\\d.,:'\u2019\\s]*"
    "[%\u2030$\u20ac\u00a3\u00a5]?"
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text on one line, and how many columns of the table it takes."""

    text: str
    heading: bool = False
    right: bool = False
    span: int = 1


def table_lines(table: Element, inline: Inline, width: int) -> list[str]:
    """A data table in at most ``width`` columns, unless one word alone is longer."""
    caption = next((c for c in table if c.tag == "caption"), None)
    title = wrap(text, width) if caption is not None and (text := inline.line(caption)) else []
    rows = _rows(table, inline)
    heads = 0
    while heads < len(rows) and all(cell.heading for cell in rows[heads]):
        heads += 1
    if not rows:
        return title
    if heads == len(rows):
        heads = 0
    aligned = _aligned(rows, heads)
    fits = all(columns(line) <= width for line in aligned)
    return title + (aligned if fits else _records(rows, heads, width))


def _rows(table: Element, inline: Inline) -> list[list[Cell]]:
    parts = [part for part in table if part.tag in {"thead", "tbody", "tfoot"}]
    elements = [row for part in (table, *parts) for row in part if row.tag == "tr"]
    rows: list[list[Cell]] = []
    below: dict[int, int] = {}  # column -> rows that a cell above still covers
    for element in elements:
        row: list[Cell] = []
        for cell in (c for c in element if c.tag in {"td", "th"}):
            _cover(row, below)
            span = _span(cell, "colspan", _MOST_COLUMNS)
            for column in range(len(row), len(row) + span):
                below[column] = _span(cell, "rowspan", len(elements)) - 1
            row.append(_cell(cell, inline, span))
            row += [Cell("", cell.tag == "th", span=0)] * (span - 1)
        _cover(row, below)
        if any(cell.text for cell in row):
            rows.append(row)
    most = max(map(len, rows), default=0)
    return [row + [Cell("", row[-1].heading)] * (most - len(row)) for row in rows]


def _cover(row: list[Cell], below: dict[int, int]) -> None:
    while below.get(len(row), 0) > 0:
        below[len(row)] -= 1
        row.append(Cell("", heading=bool(row) and row[-1].heading))


def _cell(cell: Element, inline: Inline, span: int) -> Cell:
    text = inline.line(cell).replace("\n", " ")
    said = f"{cell.get('align', '')} {cell.get('style', '')}".replace(" ", "")
    right = "text-align:right" in said or said.startswith("right") or bool(_NUMBER.fullmatch(text))
    return Cell(text, cell.tag == "th", right, span)


def _span(cell: Element, name: str, most: int) -> int:
    value = cell.get(name, "1").strip()
    return min(max(int(value), 1), most) if value.isascii() and value.isdecimal() else 1


def _aligned(rows: Sequence[Sequence[Cell]], heads: int) -> list[str]:
    widths = [0] * len(rows[0])
    for row in rows:
        for column, cell in enumerate(row):
            if cell.span == 1:
                widths[column] = max(widths[column], columns(cell.text))
    for row in rows:
        for column, cell in enumerate(row):
            missing = columns(cell.text) - _across(widths, column, cell.span)
            widths[column + max(cell.span, 1) - 1] += max(0, missing)
    right = [
        all(row[column].right or not row[column].text for row in rows[heads:])
        and any(row[column].text for row in rows[heads:])
        for column in range(len(widths))
    ]
    lines = [_line(row, widths, right) for row in rows]
    if heads:
        lines.insert(heads, _GAP.join("-" * width for width in widths))
    return lines


def _across(widths: Sequence[int], column: int, span: int) -> int:
    return sum(widths[column : column + span]) + len(_GAP) * max(0, span - 1)


def _line(row: Sequence[Cell], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = []
    for column, cell in enumerate(row):
        if cell.span:
            space = " " * (_across(widths, column, cell.span) - columns(cell.text))
            parts.append(space + cell.text if right[column] else cell.text + space)
    return _GAP.join(parts).rstrip()


def _records(rows: Sequence[Sequence[Cell]], heads: int, width: int) -> list[str]:
    """A block of lines a row, each value behind the name of its column."""
    names = [
        " / ".join(dict.fromkeys(row[column].text for row in rows[:heads] if row[column].text))
        for column in range(len(rows[0]))
    ]
    lines: list[str] = []
    for row in rows[heads:]:
        lines += [""] if lines else []
        for name, cell in zip(names, row, strict=True):
            if cell.text:
                first, *rest = wrap(f"{name}: {cell.text}" if name else cell.text, width - 2)
                lines += [first, *(f"  {line}" for line in rest)]
    return lines
