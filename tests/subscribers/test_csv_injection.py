import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.subscribers.csv_injection import escape_formula, unescape_formula


@pytest.mark.parametrize("cell", ["=1+1", "+47", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''@x"])
def test_formula_is_escaped(cell: str) -> None:
    assert escape_formula(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Ada", "O'Neill", "'tis", " =1", "1=1"])
def test_other_cell_is_not_changed(cell: str) -> None:
    assert escape_formula(cell) == unescape_formula(cell) == cell


@given(st.text(alphabet="'=+-@\t\rab"))
def test_unescape_reverses_escape(cell: str) -> None:
    assert unescape_formula(escape_formula(cell)) == cell
    assert not escape_formula(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
