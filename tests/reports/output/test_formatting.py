import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.reports.bounce_reasons import OTHER_REASONS, describe_bounce, describe_drop
from newsletter.reports.output.formatting import (
    format_percent,
    format_reasons,
    group_hours,
    sparkline,
)


@pytest.mark.parametrize(
    ("share", "digits", "words"),
    [
        (0.9956, 1, "99.6 %"),
        (0.0, 1, "0.0 %"),
        (1.0, 1, "100.0 %"),
        (0.99999, 1, "99.9 %"),
        (0.00001, 1, "<0.1 %"),
        (0.00001, 2, "<0.01 %"),
        (0.0011, 2, "0.11 %"),
        (None, 1, "–"),  # noqa: RUF001
    ],
)
def test_percent(share: float | None, digits: int, words: str) -> None:
    assert format_percent(share, digits) == words


@given(st.lists(st.integers(0, 10**7)))
def test_sparklines_keep_order_and_tell_something_from_nothing(counts: list[int]) -> None:
    line = sparkline(counts)
    assert len(line) == len(counts)
    for count, mark in zip(counts, line, strict=True):
        assert (mark == "▁") == (count == 0)
        assert all(mark <= other for more, other in zip(counts, line, strict=True) if count <= more)
    if any(counts):
        assert line[counts.index(max(counts))] == "█"


@given(st.lists(st.integers(0, 100)), st.integers(1, 9))
def test_steps_lose_nothing(hours: list[int], length: int) -> None:
    assert sum(group_hours(hours, length)) == sum(hours)


def test_listed() -> None:
    assert format_reasons([("invalid address", 8), ("mailbox full", 3)]) == (
        "8 invalid address, 3 mailbox full"
    )
    assert format_reasons([("a", 1_000), ("b", 3), ("c", 2), ("d", 1), ("e", 1)]) == (
        "1,000 a, 3 b, 2 c, 2 more"
    )
    assert format_reasons([]) == ""


@pytest.mark.parametrize(
    ("kind", "classification", "status", "words"),
    [
        ("bounce", "Invalid Address", "5.1.1", "invalid address"),
        ("bounce", "Mailbox Unavailable", "5.2.2", "mailbox full"),
        ("bounce", "Mailbox Unavailable", "5.0.0", "mailbox unavailable"),
        ("blocked", "", "550", "blocked"),
        ("blocked", "Frequency/Volume", "", "refused as too much mail"),
        ("bounce", "Unclassified", "", OTHER_REASONS),
    ],
)
def test_why_it_bounced(kind: str, classification: str, status: str, words: str) -> None:
    assert describe_bounce(kind, classification, status) == words


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("Bounced Address", "had bounced before"),
        ("Invalid SMTPAPI header", "invalid request"),
        ("Invalid", "invalid address"),
        ("something new", OTHER_REASONS),
    ],
)
def test_why_it_was_dropped(reason: str, words: str) -> None:
    assert describe_drop(reason) == words
