"""Tables, aligned by display width."""

from collections.abc import Iterator, Sequence

from newsletter.cli.output import escape_controls, isolate_bidi

GAP = 2
MIN_CUT_WIDTH = 12


def align_rows(
    rows: Sequence[Sequence[str]],
    *,
    width: int | None = None,
    cut_column: int = 0,
    numeric_columns: Sequence[int] = (),
) -> Iterator[str]:
    """Yield each row as a line with aligned columns; a column without any text is left out.

    Args:
        rows: the cells, as many in each row.
        width: of the terminal, which the lines fit if one column can be cut far enough; ``None``
            to cut nothing.
        cut_column: the column whose long cells are cut.
        numeric_columns: the columns that are aligned to the right.
    """
    cells = [[_make_printable(cell) for cell in row] for row in rows]
    if not cells:
        return
    widths = [max(map(_measure, column)) for column in zip(*cells, strict=True)]
    if width is not None:
        others = sum(widths) - widths[cut_column] + GAP * (sum(map(bool, widths)) - 1)
        widths[cut_column] = min(widths[cut_column], max(width - others, MIN_CUT_WIDTH))
    for row in cells:
        shown = [_cut(cell, size) for cell, size in zip(row, widths, strict=True)]
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
