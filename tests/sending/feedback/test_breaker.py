"""A send is paused when its first emails bounce or are reported as spam."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe, configured

from newsletter.db.schema import send
from newsletter.events.parse import parse_event
from newsletter.sending.feedback.breaker import MAX_EVENTS, MIN_EVENTS, describe_harm
from newsletter.sending.feedback.event_intake import IntakeResult, ingest_events
from newsletter.sending.ledger.record import Ledger, Send, get_send, start_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail

CONFIG = configured()
START = int(datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC).timestamp())
Report = Callable[..., IntakeResult]


@pytest.mark.parametrize(
    ("delivered", "bounces", "complaints", "settings", "reason"),
    [
        (90, 10, 0, {}, ""),
        (89, 11, 0, {}, "11 of the first 100 emails bounced"),
        (0, MIN_EVENTS - 1, 0, {}, ""),
        (0, MIN_EVENTS, 0, {}, "100 of the first 100 emails bounced"),
        (0, MIN_EVENTS, 0, {"bounce_percent": 0}, ""),
        (98, 2, 0, {"bounce_percent": 1}, "more than limits.bounce_percent (1 %) allows"),
        (200, 0, 2, {}, ""),  # too few complaints
        (600, 0, 3, {}, ""),
        (599, 0, 3, {}, "3 of the first 599 readers reported it as spam"),
        (100, 0, 90, {"complaint_percent": 0}, ""),
    ],
)
def test_limits(
    delivered: int, bounces: int, complaints: int, settings: dict[str, float], reason: str
) -> None:
    limits = configured(limits=settings).limits
    counts = {"delivered": delivered, "bounce": bounces, "spamreport": complaints}
    harm = describe_harm(counts, limits)
    assert reason in harm
    assert bool(reason) == bool(harm)


@pytest.fixture
def frozen(
    ledger: Ledger, prepared: PreparedEmail, subscribe: Subscribe, make_readers: MakeReaders
) -> Send:
    subscribe(make_readers(200))
    send_record = freeze_send(ledger, prepared)
    start_send(ledger, send_record)
    return send_record


@pytest.fixture
def report(ledger: Ledger, frozen: Send) -> Report:
    """Return what reports one event about each of some readers."""

    def ingest(kind: str, readers: range, suffix: str = "", **fields: Any) -> IntakeResult:
        events = [
            parse_event(
                {"sg_event_id": f"{kind}-{number}{suffix}", "event": kind, "timestamp": START,
                 "email": f"reader{number}@example.com", "nl_send": str(frozen.id), **fields}
            )
            for number in readers
        ]  # fmt: skip
        return ingest_events(ledger, CONFIG, events)

    return ingest


def load(ledger: Ledger, frozen: Send) -> Send:
    loaded = get_send(ledger, frozen.issue)
    assert loaded
    return loaded


def test_running_send_is_paused_once_with_its_reason(
    ledger: Ledger, frozen: Send, report: Report
) -> None:
    assert report("delivered", range(1, 90)).paused_issues == ()
    assert report("bounce", range(90, 101), type="bounce").paused_issues == (frozen.issue,)
    paused = load(ledger, frozen)
    assert (paused.state, paused.reason.split(",")[0]) == (
        "paused",
        "11 of the first 100 emails bounced",
    )
    start_send(ledger, paused)
    assert report("bounce", range(101, 120), type="bounce").paused_issues == ()
    assert load(ledger, frozen).state == "running"


@pytest.mark.parametrize("kind", ["delivered", "bounce"])
def test_repeated_and_temporary_bounces_do_not_count(
    ledger: Ledger, frozen: Send, report: Report, kind: str
) -> None:
    report("delivered", range(1, 100))
    report("bounce", range(100, 150), type="blocked")
    for number in range(20):
        report("bounce", range(150, 151), suffix=f"-{number}", type="bounce")
    assert report(kind, range(1, 2), type="blocked").paused_issues == ()
    assert load(ledger, frozen).state == "running"


@pytest.mark.parametrize("state", ["frozen", "paused", "done", "cancelled"])
def test_only_a_running_send_is_paused(
    ledger: Ledger, frozen: Send, report: Report, state: str
) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(send).values(state=state))
    assert report("bounce", range(1, 150), type="bounce").paused_issues == ()
    assert load(ledger, frozen).state == state


def test_only_the_first_events_are_counted(ledger: Ledger, frozen: Send, report: Report) -> None:
    report("delivered", range(1, MAX_EVENTS + 1))
    assert report("bounce", range(1, 199), type="bounce").paused_issues == ()
    assert load(ledger, frozen).state == "running"
