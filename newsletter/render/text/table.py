"""Convert tables to plain text: aligned columns, or records if too wide."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat

from newsletter.render.article.dom import Element
from newsletter.render.text.inline import InlineWriter
from newsletter.render.text.wrap import get_display_width, wrap_text

_GAP = "  "
_MAX_COLUMNS = 40
_NUMBER = re.compile(
    "[<>~\u2248]?[+\u2212-]?[$\u20ac\u00a3\u00a5]?\\s?\\d[\\d.,:'\u2019\\s]*"
    "[%\u2030$\u20ac\u00a3\u00a5]?"
)


@dataclass(frozen=True, slots=True)
class TableCell:
    """A cell: its text on one line, and the number of columns that it spans."""

    text: str
    is_heading: bool
    align_right: bool = False
    span: int = 1


def render_table(table: Element, inline_writer: InlineWriter, width: int) -> list[str]:
    """Return a data table in at most ``width`` columns, unless a single word is longer."""
    caption = next((c for c in table if c.tag == "caption"), None)
    title = (
        wrap_text(text, width)
        if caption is not None and (text := inline_writer.write_line(caption))
        else []
    )
    rows = _read_rows(table, inline_writer)
    header_count = 0
    while header_count < len(rows) and all(cell.is_heading for cell in rows[header_count]):
        header_count += 1
    if not rows:
        return title
    if header_count == len(rows):
        header_count = 0
    aligned = _align_rows(rows, header_count)
    fits = all(get_display_width(line) <= width for line in aligned)
    return title + (aligned if fits else _format_records(rows, header_count, width))


def _read_rows(table: Element, inline_writer: InlineWriter) -> list[list[TableCell]]:
    parts = [part for part in table if part.tag in {"thead", "tbody", "tfoot"}]
    elements = [row for part in (table, *parts) for row in part if row.tag == "tr"]
    rows: list[list[TableCell]] = []
    # column -> the cells that are covered in the next rows by a cell above
    covered: dict[int, Iterator[TableCell]] = {}
    for element in elements:
        row: list[TableCell] = []
        for cell in (c for c in element if c.tag in {"td", "th"}):
            _add_covered_cells(row, covered)
            span = _read_span(cell, "colspan", _MAX_COLUMNS)
            below = TableCell("", cell.tag == "th")
            for column in range(len(row), len(row) + span):
                covered[column] = repeat(below, _read_span(cell, "rowspan", len(elements)) - 1)
            row.append(_read_cell(cell, inline_writer, span))
            row += [TableCell("", cell.tag == "th", span=0)] * (span - 1)
        _add_covered_cells(row, covered)
        if any(cell.text for cell in row):
            rows.append(row)
    column_count = max(map(len, rows), default=0)
    return [row + [TableCell("", row[-1].is_heading)] * (column_count - len(row)) for row in rows]


def _add_covered_cells(row: list[TableCell], covered: Mapping[int, Iterator[TableCell]]) -> None:
    while cell := next(covered.get(len(row), iter(())), None):
        row.append(cell)


def _read_cell(cell: Element, inline_writer: InlineWriter, span: int) -> TableCell:
    text = inline_writer.write_line(cell).replace("\n", " ")
    alignment = f"{cell.get('align', '')} {cell.get('style', '')}".replace(" ", "")
    align_right = (
        "text-align:right" in alignment
        or alignment.startswith("right")
        or bool(_NUMBER.fullmatch(text))
    )
    return TableCell(text, cell.tag == "th", align_right, span)


def _read_span(cell: Element, name: str, maximum: int) -> int:
    value = cell.get(name, "1").strip().lstrip("0")
    if not (value.isascii() and value.isdecimal()):
        return 1
    return min(int(value[:9]), maximum)  # int() refuses thousands of digits


def _align_rows(rows: Sequence[Sequence[TableCell]], header_count: int) -> list[str]:
    widths = [0] * len(rows[0])
    for row in rows:
        for column, cell in enumerate(row):
            if cell.span == 1:
                widths[column] = max(widths[column], get_display_width(cell.text))
    for row in rows:
        for column, cell in enumerate(row):
            missing = get_display_width(cell.text) - _get_spanned_width(widths, column, cell.span)
            widths[column + cell.span - 1] += max(0, missing)
    right_aligned = [
        all(row[column].align_right or not row[column].text for row in rows[header_count:])
        and any(row[column].text for row in rows[header_count:])
        for column in range(len(widths))
    ]
    lines = [_format_row(row, widths, right_aligned) for row in rows]
    if header_count:
        lines.insert(header_count, _GAP.join("-" * width for width in widths))
    return lines


def _get_spanned_width(widths: Sequence[int], column: int, span: int) -> int:
    return sum(widths[column : column + span]) + len(_GAP) * max(0, span - 1)


def _format_row(
    row: Sequence[TableCell], widths: Sequence[int], right_aligned: Sequence[bool]
) -> str:
    parts = []
    for column, cell in enumerate(row):
        if cell.span:
            padding = " " * (
                _get_spanned_width(widths, column, cell.span) - get_display_width(cell.text)
            )
            parts.append(padding + cell.text if right_aligned[column] else cell.text + padding)
    return _GAP.join(parts).rstrip()


def _format_records(
    rows: Sequence[Sequence[TableCell]], header_count: int, width: int
) -> list[str]:
    """Return a block of lines per row, each value after the name of its column.

    A name over nothing but pictures stays, too.
    """
    names = [
        " / ".join(
            dict.fromkeys(row[column].text for row in rows[:header_count] if row[column].text)
        )
        for column in range(len(rows[0]))
    ]
    data_rows = rows[header_count:]
    has_text = [any(row[column].text for row in data_rows) for column in range(len(names))]
    lines: list[str] = []
    for row in data_rows:
        lines += [""] if lines else []
        for name, cell, is_name_told in zip(names, row, has_text, strict=True):
            if cell.text or (name and not is_name_told):
                value = f"{name}: {cell.text}".rstrip() if name else cell.text
                first, *rest = wrap_text(value, width - 2)
                lines += [first, *(f"  {line}" for line in rest)]
    return lines
