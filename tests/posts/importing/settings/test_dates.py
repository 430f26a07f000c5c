import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.posts.importing.settings.dates import parse_foreign_date, parse_zoned_date

DAY = datetime.date(2026, 10, 2)


@pytest.mark.parametrize(
    "value",
    [
        DAY,
        "2026-10-02",
        "2026-10-2",
        "2026/10/02",
        "2026.10.2",
        "20261002",
        20261002,
        "October 2, 2026",
        "Oct 2nd, 2026",
        "Oct. 2, 2026",
        "2 October 2026",
        "Friday, October 2, 2026",
        "Fri, 02 Oct 2026",
        "the 2nd of October 2026",
        "2. Oktober 2026",
        "le 2 octobre 2026",
        "2 de octubre de 2026",
        "2026 October 2",
        "02.10.2026",
        "2026年10月2日",
        "2026년 10월 2일",
    ],
)
def test_days_are_read(value: object) -> None:
    assert parse_foreign_date(value) == DAY


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-10-02 23:30", "2026-10-02T23:30:00"),
        ("2026-10-02T23:30:00", "2026-10-02T23:30:00"),
        ("2026-10-02 23:30:00 -0800", "2026-10-02T23:30:00-08:00"),
        ("2026-10-02 23:30:00 UTC", "2026-10-02T23:30:00+00:00"),
        ("2026-10-02 23:30:00 CEST", "2026-10-02T23:30:00+02:00"),
        ("2026-10-02T23:30:00.123Z", "2026-10-02T23:30:00+00:00"),
        ("2026-10-02T23:30:00+02:00[Europe/Oslo]", "2026-10-02T23:30:00+02:00"),
        ("2026-10-02 23:30 Europe/Oslo", "2026-10-02T23:30:00"),
        ("2026/10/02 9:05 pm", "2026-10-02T21:05:00"),
        ("October 2, 2026 at 12:10 AM", "2026-10-02T00:10:00"),
        ("Oct 2, 2026, 12:10 p.m. EDT", "2026-10-02T12:10:00-04:00"),
        ("Fri, 02 Oct 2026 10:00:00 +0200", "2026-10-02T10:00:00+02:00"),
        ("Fri Oct 02 23:30:00 UTC 2026", "2026-10-02T23:30:00+00:00"),
        (
            "Fri Oct 02 2026 23:30:00 GMT+0200 (Central European Summer Time)",
            "2026-10-02T23:30:00+02:00",
        ),
        (1790983800, "2026-10-02T23:30:00+00:00"),
        (1790983800000, "2026-10-02T23:30:00+00:00"),
        ("1790983800", "2026-10-02T23:30:00+00:00"),
        (100_000_000, "1973-03-03T09:46:40+00:00"),
        (100_000_000_000, "1973-03-03T09:46:40+00:00"),
        (99_999_999_999, "5138-11-16T09:46:39+00:00"),
        ("2026-10-02 12:00 pm", "2026-10-02T12:00:00"),
        ("2026-10-02 11:59 P.M.", "2026-10-02T23:59:00"),
        ("2026-10-02 23:30 EST", "2026-10-02T23:30:00-05:00"),
        ("2026-10-02 23:30 CST", "2026-10-02T23:30:00-06:00"),
        ("2026-10-02 23:30 PDT", "2026-10-02T23:30:00-07:00"),
        ("2026-10-02 23:30 PST", "2026-10-02T23:30:00-08:00"),
        ("2026-10-02 23:30 BST", "2026-10-02T23:30:00+01:00"),
        ("2026-10-02 23:30 CET", "2026-10-02T23:30:00+01:00"),
        ("2026-10-02 23:30 EEST", "2026-10-02T23:30:00+03:00"),
        ("2026-10-02 23:30 JST", "2026-10-02T23:30:00+09:00"),
        ("2026-10-02 23:30 AEDT", "2026-10-02T23:30:00+11:00"),
        ("2026-10-02 23:30 XYZ", "2026-10-02T23:30:00"),
        ("2026-10-02 23:30 \u221208:00", "2026-10-02T23:30:00-08:00"),
        ("2026-10-02 23:30 +0530", "2026-10-02T23:30:00+05:30"),
    ],
)
def test_times_and_zones_are_read(value: object, moment: str) -> None:
    assert parse_foreign_date(value) == datetime.datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("25/12/2026", datetime.date(2026, 12, 25)),
        ("12/25/2026", datetime.date(2026, 12, 25)),
        ("5/5/2026", datetime.date(2026, 5, 5)),
        ("13-05-2026", datetime.date(2026, 5, 13)),
        ("5/13/2026", datetime.date(2026, 5, 13)),
        ("12/12/2026", datetime.date(2026, 12, 12)),
        ("5.12.2026", datetime.date(2026, 12, 5)),
        ("12/5/2026", None),
        ("5/12/2026", None),
        ("13/13/2026", None),
        ("5/13-2026", None),
        ("10/02/2026", None),
        ("02-10-2026", None),
    ],
)
def test_day_and_month_are_never_guessed(value: str, day: datetime.date | None) -> None:
    assert parse_foreign_date(value) == day


@pytest.mark.parametrize(
    "value",
    [
        *("", "soon", "tomorrow", "Spring 2026", "October 2026", "2026", 2026, 7, 7.5, True, None),
        *(
            "2026-13-45",
            "0000-01-01",
            "2026-10-02 25:00",
            "2026-10-02 13:00 pm",
            "2026-10-02 0:30 am",
            99_999_999,
            "20261345",
        ),
        *("October 2, 2026 or later", "2 and 3 October 2026", "October 32, 2026", [DAY], {"a": 1}),
        *("9" * 500, 10**40, float("inf"), "2026-10-02 23:30:00 +99:99", "see 2026-10-02"),
    ],
)
def test_anything_else_is_not_a_date(value: object) -> None:
    assert parse_foreign_date(value) is None


@given(st.text(alphabet="0123456789-/.: TZ+年月日Octat,", max_size=30) | st.text(max_size=30))
def test_any_text_is_read_or_not(text: str) -> None:
    assert isinstance(parse_foreign_date(text), datetime.date | None)


@given(st.datetimes(min_value=datetime.datetime(1000, 1, 1)))  # noqa: DTZ001
def test_every_iso_time_is_read(moment: datetime.datetime) -> None:
    parsed = parse_foreign_date(moment.isoformat())
    assert parsed == moment.replace(microsecond=0)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31 23:59:59", "9999-12-31", ""])
def test_date_that_not_every_zone_has_is_none(text: str) -> None:
    assert parse_zoned_date(text, datetime.UTC) is None
