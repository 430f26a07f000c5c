"""What counts as a recall."""

import datetime

import pytest

from newsletter.subscribers.recalled_sends import is_recalled

AT = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
SECOND = datetime.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("scheduled_at", "recalled_at", "expected"),
    [
        (AT, AT - 600 * SECOND, True),
        (AT, AT - 599 * SECOND, False),
        (AT, AT, False),
        (AT, AT + SECOND, False),
        (AT, None, False),
        (None, AT, False),
        (None, None, False),
    ],
)
def test_confirmation_counts_until_ten_minutes_before(
    scheduled_at: datetime.datetime | None, recalled_at: datetime.datetime | None, *, expected: bool
) -> None:
    assert is_recalled(scheduled_at, recalled_at) is expected
