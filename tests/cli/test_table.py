"""Tables are aligned by display width, and cut to the terminal's."""

import pytest

from newsletter.cli.table import align_rows
from newsletter.render.text.wrap import get_display_width


@pytest.mark.parametrize("name", ["n" * 90, "日" * 60, "\u05d0" * 90, "a\tb\x1b" * 30])
def test_long_cells_are_cut_by_display_width(name: str) -> None:
    rows = [["2026-12-01", name, "sent 1 Dec to 2,481", "1,312"], ["", "x", "ready", "7"]]
    first, second = align_rows(rows, width=80, cut_column=1, numeric_columns=(3,))
    assert 79 <= get_display_width(first) <= 80
    assert "…" in first
    assert first.endswith("  sent 1 Dec to 2,481  1,312")
    assert get_display_width(second) == get_display_width(first)
    assert "\x1b" not in first
    (uncut,) = align_rows([["a", name]], cut_column=1)
    assert "…" not in uncut


@pytest.mark.parametrize("width", [None, 80])
def test_one_long_cell_moves_only_its_own_line(width: int | None) -> None:
    long = f"{'a' * 64}@example.com"
    rows = [["a@b.com", "Ada", "active"], [long, "Bo", "active"], ["cc@b.com", "Cy", "active"]]
    assert list(align_rows(rows, width=width, cut_column=1)) == [
        "a@b.com   Ada  active",
        f"{long}  Bo   active",
        "cc@b.com  Cy   active",
    ]
    assert list(align_rows(rows[1:2], width=width, cut_column=1)) == [f"{long}  Bo  active"]


@pytest.mark.parametrize("width", [None, 80])
def test_table_without_rows_has_no_lines(width: int | None) -> None:
    assert list(align_rows([], width=width, cut_column=1)) == []
