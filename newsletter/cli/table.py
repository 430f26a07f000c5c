"""Tables, aligned by display width."""

from collections.abc import Iterator, Sequence

from newsletter.cli.output import escape_controls, isolate_bidi

GAP = 2
MIN_CUT_WIDTH = 12
# One long address must not push the columns of all rows off the screen.
MAX_ALIGNED_WIDTH = 44


def align_rows(
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    cut_column: int = 0,
    numeric_columns: Sequence[int] = (),
) -> Iterator[str]:
    """Yield each row as a line with aligned columns; a column without any text is left out.

    A cell of more than ``MAX_ALIGNED_WIDTH`` columns moves the rest of its own line only.

    Args:
        rows: the cells, as many in each row.
        width: of the terminal, which the lines fit if one column can be cut far enough; ``None``
            to cut nothing.
        cut_column: the column whose long cells are cut; it is as wide as they are otherwise.
        numeric_columns: the columns that are aligned to the right.
    """
    cells = [[_make_printable(cell) for cell in row] for row in rows]
    if not cells:
        return
    sizes = [[_measure(cell) for cell in column] for column in zip(*cells, strict=True)]
    widths = [
        max(column)
        if number == cut_column
        else max((size for size in column if size <= MAX_ALIGNED_WIDTH), default=MAX_ALIGNED_WIDTH)
        for number, column in enumerate(sizes)
    ]
    if width is not None:
        others = sum(widths) - widths[cut_column] + GAP * (sum(map(bool, widths)) - 1)
        widths[cut_column] = min(widths[cut_column], max(width - others, MIN_CUT_WIDTH))
    for row in cells:
        shown = [*row]
        shown[cut_column] = _cut(row[cut_column], widths[cut_column])
        padding = [" " * (size - _measure(cell)) for cell, size in zip(shown, widths, strict=True)]
        yield (
            (" " * GAP)
            .join(
                space + cell if number in numeric_columns else isolate_bidi(cell) + space
                for number, (cell, space) in enumerate(zip(shown, padding, strict=True))
                if widths[number]
            )
            .rstrip()
        )


def _make_printable(cell: str) -> str:
    return escape_controls(" ".join(cell.splitlines()).replace("\t", " "))


def _measure(text: str) -> int:
    from newsletter.render.text.wrap import get_display_width

    return get_display_width(text)


def _cut(text: str, width: int) -> str:
    """Return the beginning of ``text``, with an ellipsis, if it has more columns than ``width``."""
    if _measure(text) <= width:
        return text
    while _measure(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}\u2026"
