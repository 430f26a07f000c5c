import datetime
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SubscriberListError
from newsletter.subscribers.importing.rows.date_cell import (
    DateOrder,
    detect_date_order,
    has_two_meanings,
    parse_date_cell,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-05-01", "2024-05-01T00:00:00"),
        ("2024/05/01 07:08", "2024-05-01T07:08:00"),
        ("2024.5.1", "2024-05-01T00:00:00"),
        ("1 May 2024", "2024-05-01T00:00:00"),
        ("01-May-2024", "2024-05-01T00:00:00"),
        ("1st May 2024", "2024-05-01T00:00:00"),
        ("May 1, 2024", "2024-05-01T00:00:00"),
        ("May 1st 2024, 3:04 PM", "2024-05-01T15:04:00"),
        ("May 1, 2024 at 12:04 a.m.", "2024-05-01T00:04:00"),
        ("Wed, 01 May 2024 07:08:09 +0200", "2024-05-01T05:08:09"),
        ("Sept. 2, 2024", "2024-09-02T00:00:00"),
        ("1. Mai 2024", "2024-05-01T00:00:00"),
        ("3. M\xe4rz 2024", "2024-03-03T00:00:00"),
        ("1er ao\xfbt 2024", "2024-08-01T00:00:00"),
        ("1 de mayo de 2024", "2024-05-01T00:00:00"),
        ("1 maggio 2024", "2024-05-01T00:00:00"),
        ("1 mei 2024", "2024-05-01T00:00:00"),
        ("1. desember 2024", "2024-12-01T00:00:00"),
        ("31.05.2024", "2024-05-31T00:00:00"),
        ("05/31/2024 11:12:13 PM", "2024-05-31T23:12:13"),
        ("5-5-2024", "2024-05-05T00:00:00"),
    ],
)
def test_date_with_one_meaning(text: str, expected: str) -> None:
    assert parse_date_cell(text) == datetime.datetime.fromisoformat(f"{expected}+00:00")


@pytest.mark.parametrize(
    ("text", "order", "month", "day"),
    [
        ("01.05.2024", "day first", 5, 1),
        ("01/05/2024 10:00", "month first", 1, 5),
        ("31.05.2024", "month first", 5, 31),
    ],
)
def test_order_of_the_column_decides(text: str, order: DateOrder, month: int, day: int) -> None:
    found = parse_date_cell(text, order)
    assert (found.month, found.day) == (month, day)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("01.05.2024", "could be two dates"),
        ("1/5/2024 10:00", "could be two dates"),
        ("31.05.24", "not a valid date"),
        ("May 2024", "not a valid date"),
        ("31 February 2024", "not a valid date"),
        ("31.02.2024", "not a valid date"),
        ("1 Listopad 2024", "not a valid date"),
        ("2024-31-05", "not a valid date"),
        ("May 1, 2024 13:00 PM", "not a valid date"),
        ("yesterday", "not a valid date"),
        ("1" * 100, "not a valid date"),
    ],
)
def test_other_date_is_rejected(text: str, reason: str) -> None:
    with pytest.raises(SubscriberListError, match=reason):
        parse_date_cell(text)


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        ((), None),
        (("01.05.2024", "02.03.2024"), None),
        (("01.05.2024", "31.05.2024"), "day first"),
        (("01/05/2024", "", "2024-05-31", "05/31/2024 10:00"), "month first"),
        (("31.05.2024", "05/31/2024"), None),
        (("05.05.2024", "1 May 2024"), None),
    ],
)
def test_order_that_a_column_proves(texts: tuple[str, ...], order: DateOrder | None) -> None:
    assert detect_date_order(texts) == order


@given(st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)))
def test_date_is_parsed_as_written(day: datetime.date) -> None:
    written = day.strftime("%d.%m.%Y")
    assert parse_date_cell(written, "day first").date() == day
    assert has_two_meanings(written) == (day.day <= 12 and day.day != day.month)
    assert parse_date_cell(day.strftime("%B %d, %Y")).date() == day


@given(st.text("0123456789./-: ampMay", max_size=24))
def test_any_text_is_a_date_or_rejected(text: str) -> None:
    with suppress(SubscriberListError):
        assert parse_date_cell(text).tzinfo is datetime.UTC
