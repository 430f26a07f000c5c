"""Numbers of a report as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.reports.output.formatting import (
    format_percent,
    format_reasons,
    group_hours,
    sparkline,
)


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [
        (0.9956, 1, "99.6 %"),
        (0.0, 1, "0.0 %"),
        (1.0, 1, "100.0 %"),
        (0.99999, 1, "99.9 %"),
        (0.00001, 1, "<0.1 %"),
        (0.00001, 2, "<0.01 %"),
        (0.0011, 2, "0.11 %"),
        (None, 1, "–"),
    ],
)
def test_percent_is_never_rounded_to_0_or_100(share: float | None, digits: int, text: str) -> None:
    assert format_percent(share, digits) == text


@given(st.lists(st.integers(0, 10**7)))
def test_sparkline_keeps_the_order_and_distinguishes_0(counts: list[int]) -> None:
    line = sparkline(counts)
    assert len(line) == len(counts)
    for count, bar in zip(counts, line, strict=True):
        assert (bar == "▁") == (count == 0)
        assert all(bar <= other for more, other in zip(counts, line, strict=True) if count <= more)
    if any(counts):
        assert line[counts.index(max(counts))] == "█"


@given(st.lists(st.integers(0, 100)), st.integers(1, 9))
def test_group_hours_keeps_the_sum(hours: list[int], length: int) -> None:
    assert sum(group_hours(hours, length)) == sum(hours)


def test_reasons_beyond_the_limit_are_summed_up() -> None:
    assert format_reasons([("invalid address", 8), ("mailbox full", 3)]) == (
        "8 invalid address, 3 mailbox full"
    )
    assert format_reasons([("a", 1_000), ("b", 3), ("c", 2), ("d", 1), ("e", 1)]) == (
        "1,000 a, 3 b, 2 c, 2 more"
    )
    assert format_reasons([]) == ""
