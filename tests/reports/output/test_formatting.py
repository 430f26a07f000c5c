"""Numbers of a report as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_send import AT

from newsletter.reports.model import GrowthSinceIssue, LinkClicks
from newsletter.reports.output.formatting import (
    count_unclicked_links,
    describe_growth,
    draw_text_bar,
    format_percent,
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


@pytest.mark.parametrize(
    ("value", "maximum", "bar"),
    [(8, 8, "████"), (4, 8, "██"), (5, 8, "██▌"), (1, 10_000, "▏"), (0, 8, ""), (0, 0, "")],
)
def test_text_bar_shows_any_count_above_0(value: int, maximum: int, bar: str) -> None:
    assert draw_text_bar(value, maximum, 4) == bar


@pytest.mark.parametrize(
    ("joined", "left", "end"),
    [(34, 12, "a net gain of 22."), (1, 3, "a net loss of 2."), (2, 2, "no change.")],
)
def test_growth_is_a_sentence(joined: int, left: int, end: str) -> None:
    growth = GrowthSinceIssue("2026-11-17-x", AT, joined, left)
    assert describe_growth(growth, "17 Nov") == (
        f"Since the last issue (17 Nov), {joined} joined and {left} left: {end}"
    )


def test_links_without_a_click_are_counted() -> None:
    links = [LinkClicks(f"https://x.example/{clicks}", "", clicks, clicks) for clicks in (2, 0, 0)]
    assert count_unclicked_links(links) == "2 more links were not clicked."
    assert count_unclicked_links(links[:2]) == "1 more link was not clicked."
    assert count_unclicked_links(links[:1]) == ""
