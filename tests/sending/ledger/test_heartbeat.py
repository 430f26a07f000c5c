"""Heartbeats: written at most once a minute, and forgotten after a while."""

import datetime

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver

from newsletter.db.schema import setting
from newsletter.sending.ledger.heartbeat import (
    RECENT,
    Starter,
    load_heartbeats,
    record_heartbeat,
)
from newsletter.sending.ledger.record import Ledger

SECOND = datetime.timedelta(seconds=1)


def test_heartbeat_is_written_at_most_once_a_minute(ledger: Ledger, observer: FakeObserver) -> None:
    assert load_heartbeats(ledger) == ()
    start = observer.now
    for after, seen_after in ((0, 0), (59, 0), (60, 60), (119, 60), (120, 120)):
        observer.now = start + after * SECOND
        record_heartbeat(ledger, "serve")
        (heartbeat,) = load_heartbeats(ledger)
        assert heartbeat.seen_at == start + seen_after * SECOND


@pytest.mark.parametrize("starter", RECENT)
def test_heartbeat_counts_for_a_while(
    ledger: Ledger, observer: FakeObserver, starter: Starter
) -> None:
    record_heartbeat(ledger, starter)
    for after, is_recent in ((RECENT[starter], True), (SECOND, False)):
        observer.now += after
        assert [(beat.starter, beat.is_recent) for beat in load_heartbeats(ledger)] == [
            (starter, is_recent)
        ]


def test_heartbeat_of_a_clock_that_was_ahead_is_replaced(
    ledger: Ledger, observer: FakeObserver
) -> None:
    record_heartbeat(ledger, "due")
    observer.now -= datetime.timedelta(hours=5)
    assert [beat.is_recent for beat in load_heartbeats(ledger)] == [False]
    record_heartbeat(ledger, "due")
    assert [beat.is_recent for beat in load_heartbeats(ledger)] == [True]


@pytest.mark.parametrize("value", ["", "soon", "2026-12-01T09:00:00"])
def test_unreadable_heartbeat_is_replaced(ledger: Ledger, value: str) -> None:
    with ledger.engine.begin() as connection:
        connection.execute(sa.insert(setting).values(key="heartbeat.due", value=value))
    assert load_heartbeats(ledger) == ()
    record_heartbeat(ledger, "due")
    assert [beat.is_recent for beat in load_heartbeats(ledger)] == [True]
