"""When single recipients that are refused in a row mean that all would be."""

import datetime

import pytest

from newsletter.sending.providers.provider import Outcome
from newsletter.sending.retry_policy import (
    MAX_SAME_REFUSALS,
    RefusalStreak,
    decide_batch_action,
)

NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
REFUSED = (Outcome("rejected", "Bad Request", 400), 1)
SPLIT = (Outcome("rejected", "Bad Request", 400), 10)
NAMED = (Outcome("rejected", "Bad Request", 400, recipient_errors={0: "not an address"}), 1)
OTHER_WORDS = (Outcome("rejected", "Too odd", 400), 1)
ACCEPTED = (Outcome("accepted", status=202), 10)
UNKNOWN = (Outcome("unknown", "Bad Request"), 10)
THROTTLED = (Outcome("throttled", "Bad Request", 429, retry_at=NOW), 10)


@pytest.mark.parametrize(
    ("requests", "length"),
    [
        ([], 0),
        ([REFUSED] * 3, 3),
        ([REFUSED, REFUSED, ACCEPTED], 0),
        ([REFUSED, ACCEPTED, REFUSED], 1),
        ([REFUSED, REFUSED, OTHER_WORDS], 1),
        ([REFUSED, OTHER_WORDS, REFUSED], 1),
        ([REFUSED, SPLIT, NAMED, UNKNOWN, THROTTLED, REFUSED], 2),
        ([NAMED] * 9, 0),
        ([SPLIT] * 9, 0),
        ([ACCEPTED, *[REFUSED] * 9], 9),
    ],
)
def test_only_refusals_in_the_same_words_without_an_acceptance_count(
    requests: list[tuple[Outcome, int]], length: int
) -> None:
    streak = RefusalStreak()
    for outcome, recipient_count in requests:
        action = decide_batch_action(
            outcome, recipient_count=recipient_count, attempts=0, now=NOW, jitter=0.5
        )
        streak = streak.extend(outcome, action)
    assert streak.length == length
    assert streak.is_systematic == (length >= MAX_SAME_REFUSALS)
