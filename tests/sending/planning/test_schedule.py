"""Times as editors write them, in zones with daylight saving time."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import UsageError
from newsletter.sending.planning.schedule import (
    ScheduledTime,
    choose_waiting_place,
    format_rough_duration,
    format_schedule_time,
    parse_schedule_options,
    parse_schedule_time,
    parse_undo_window,
)

OSLO = ZoneInfo("Europe/Oslo")
# A Tuesday, 10:00 in Oslo.
MAX_HOLD = datetime.timedelta(hours=71, minutes=50)
NOW = datetime.datetime(2026, 10, 20, 8, 0, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-12-01 09:00", "2026-12-01T08:00+00:00"),
        ("2026-12-01T09:00", "2026-12-01T08:00+00:00"),
        ("2026-12-01 09:00+05:30", "2026-12-01T03:30+00:00"),
        ("2026-12-01T09:00Z", "2026-12-01T09:00+00:00"),
        ("  Tue 10:01 ", "2026-10-20T08:01+00:00"),
        ("tuesday 10:00", "2026-10-27T09:00+00:00"),  # it is 10:00 already: the next Tuesday
        ("Mon 9:30", "2026-10-26T08:30+00:00"),
        ("2026-10-25 02:30+02:00", "2026-10-25T00:30+00:00"),
        ("2026-10-25 02:30+01:00", "2026-10-25T01:30+00:00"),
    ],
)
def test_time_is_parsed(text: str, moment: str) -> None:
    assert parse_schedule_time(text, NOW, OSLO).isoformat(timespec="minutes") == moment


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-10-25 02:30", "occurs twice in Europe/Oslo"),
        ("2027-03-28 02:30", "does not exist in Europe/Oslo"),
        ("Sun 02:30", "occurs twice"),
        ("2026-10-20 10:00", "Tue 20 Oct 2026 10:00 Europe/Oslo is in the past"),
        ("2026-12-01", "is not a valid time"),
        ("T 09:00", "is not a valid time"),
        ("Tue 25:00", "is not a valid time"),
        ("0001-01-01 00:00", "is not a valid time"),
        ("9999-12-31 23:59", "is not a valid time"),
        ("tomorrow", "is not a valid time"),
        ("", "is not a valid time"),
    ],
)
def test_invalid_time_is_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_schedule_time(text, NOW, OSLO)


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("2026-10-25 02:30", ("2026-10-25 02:30+02:00", "2026-10-25 02:30+01:00")),
        ("2027-03-28 02:30", ("2027-03-28 01:30+01:00", "2027-03-28 03:30+02:00")),
    ],
)
def test_ambiguous_local_time_is_refused_with_both_alternatives(
    text: str, choices: tuple[str, str]
) -> None:
    with pytest.raises(UsageError) as refused:
        parse_schedule_time(text, NOW, OSLO)
    assert all(f"'{choice}'" in str(refused.value) for choice in choices)
    first, second = (parse_schedule_time(choice, NOW, OSLO) for choice in choices)
    assert second - first == datetime.timedelta(hours=1)


@given(
    st.datetimes(datetime.datetime(2026, 10, 21), datetime.datetime(2100, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["Europe/Oslo", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_local_time_is_exactly_one_moment_or_refused(local: datetime.datetime, key: str) -> None:
    zone, local = ZoneInfo(key), local.replace(microsecond=0)
    try:
        moment = parse_schedule_time(local.isoformat(" "), NOW, zone)
    except UsageError:
        offsets = {local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
        assert len(offsets) == 2
    else:
        assert moment.astimezone(zone).replace(tzinfo=None) == local


@given(st.text(max_size=30))
def test_any_text_is_a_future_time_or_refused(text: str) -> None:
    try:
        assert parse_schedule_time(text, NOW, OSLO) > NOW
    except UsageError as refused:
        assert refused.problems[0].remedy  # noqa: PT017 - either result is right


def parse(
    *,
    at: str | None = None,
    undo_window: str | None = None,
    local: bool = False,
    hold: bool = False,
    seen: bool = False,
    limited: bool = False,
) -> ScheduledTime | None:
    place = choose_waiting_place(local=local, at_provider=hold)
    return parse_schedule_options(
        at, undo_window, NOW, OSLO, place=place, is_starter_seen=seen, rate_limited=limited
    )


@pytest.mark.parametrize(("text", "minutes"), [("11m", 11), ("20m", 20), ("2h", 120)])
def test_undo_window_starts_when_the_editor_confirms(text: str, minutes: int) -> None:
    assert parse_undo_window(text) == datetime.timedelta(minutes=minutes)
    scheduled = parse(undo_window=text)
    assert scheduled is not None
    assert scheduled.held_by_provider
    later = NOW + datetime.timedelta(minutes=5)
    assert scheduled.get_start_time(later) == later + datetime.timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["10m", "0h", "72h", "90s", "1d", "m", "-20m", ""])
def test_invalid_undo_window_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_undo_window(text)


LATER, FAR = "2026-10-21 09:00", "2026-12-01 09:00"
# at, undo window, --local, --hold-at-sendgrid, a starter was seen, a limit per hour -> who holds it
# until then, or the start of the refusal.
PLACES = {
    (None, None, False, False, False, False): None,
    (None, "20m", False, False, False, False): "sendgrid",
    (None, "20m", False, False, False, True): "--limit-per-hour has no effect",
    (None, "20m", True, False, True, False): "--undo-window can't be combined",
    (None, "20m", False, True, True, False): "--undo-window can't be combined",
    (LATER, "20m", False, False, True, False): "--undo-window can't be combined",
    (LATER, None, False, False, True, False): "here",
    (LATER, None, False, False, True, True): "here",
    (LATER, None, False, False, False, False): "nothing would start it: neither newsletter serve",
    (FAR, None, False, False, True, False): "here",
    (FAR, None, False, False, False, False): "nothing would start it: neither newsletter serve",
    (LATER, None, True, False, False, False): "here",
    (FAR, None, True, False, False, True): "here",
    (LATER, None, False, True, False, False): "sendgrid",
    (LATER, None, False, True, True, False): "sendgrid",
    (LATER, None, False, True, True, True): "--limit-per-hour has no effect",
    (FAR, None, False, True, True, False): "SendGrid holds emails for 72 hours at most",
    (LATER, None, True, True, True, False): "--local and --hold-at-sendgrid exclude each other",
    (None, None, True, False, True, False): "--local requires --at",
    (None, None, False, True, True, False): "--hold-at-sendgrid requires --at",
}


@pytest.mark.parametrize(("options", "expected"), PLACES.items())
def test_place_where_a_send_waits_follows_from_the_options(
    options: tuple[str | None, str | None, bool, bool, bool, bool], expected: str | None
) -> None:
    at, undo_window, local, hold, seen, limited = options
    try:
        scheduled = parse(
            at=at, undo_window=undo_window, local=local, hold=hold, seen=seen, limited=limited
        )
    except UsageError as refused:
        assert expected
        assert str(refused).startswith(expected)  # noqa: PT017 - either result is right
        assert refused.problems[0].remedy  # noqa: PT017
    else:
        held = scheduled and scheduled.held_by_provider
        assert expected == {None: None, True: "sendgrid", False: "here"}[held]


def test_refusal_names_both_ways_to_schedule() -> None:
    with pytest.raises(UsageError) as refused:
        parse(at=LATER)
    for way in ("newsletter serve", "newsletter send --due", "--hold-at-sendgrid", "--local"):
        assert way in refused.value.problems[0].remedy


def test_sendgrid_holds_it_for_up_to_72_hours() -> None:
    at = (NOW + MAX_HOLD).isoformat()
    scheduled = parse(at=at, hold=True)
    assert scheduled is not None
    assert scheduled.get_start_time(NOW) == NOW + MAX_HOLD
    with pytest.raises(UsageError, match="72 hours"):
        parse(at=(NOW + MAX_HOLD * 1.01).isoformat(), hold=True)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [(0.1, "1 minute"), (1, "1 minute"), (119, "119 minutes"), (120, "2 hours"),
     (38 * 60, "38 hours"), (5 * 1440, "5 days")],
)  # fmt: skip
def test_durations_and_times_are_formatted_for_people(minutes: float, expected: str) -> None:
    assert format_rough_duration(datetime.timedelta(minutes=minutes)) == expected
    assert format_schedule_time(NOW, OSLO) == "Tue 20 Oct 2026 10:00 Europe/Oslo"
