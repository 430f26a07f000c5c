import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.subscribers.csv_injection import neutral, restored


@pytest.mark.parametrize("cell", ["=1+1", "+47", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''@x"])
def test_what_a_spreadsheet_would_run(cell: str) -> None:
    assert neutral(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Ada", "O'Neill", "'tis", " =1", "1=1"])
def test_what_it_would_not(cell: str) -> None:
    assert neutral(cell) == restored(cell) == cell


@given(st.text(alphabet="'=+-@\t\rab"))
def test_nothing_is_lost(cell: str) -> None:
    assert restored(neutral(cell)) == cell
    assert not neutral(cell).startswith(("=", "+", "-", "@", "\t", "\r"))
