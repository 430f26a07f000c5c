"""With ``tracking: ask``, opens and clicks of readers who have not agreed are not stored."""

import datetime
import itertools
from typing import Any

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe, configured

from newsletter.db import read_transaction
from newsletter.db.schema import event
from newsletter.events.parse import Event, parse_event
from newsletter.sending.feedback.event_intake import ingest_events
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.tracking_answers import (
    TrackingAnswers,
    record_tracking_answers,
)

READER = "reader1@example.com"
NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
FORM = ChangeOrigin(NOW, "form", "/p", "Yes, you may.")
_ids = itertools.count()


def make_event(kind: str, **fields: Any) -> Event:
    required = {"sg_event_id": f"event-{next(_ids)}", "email": READER, "event": kind}
    return parse_event({**required, "timestamp": int(NOW.timestamp()), **fields})


def stored_types(ledger: Ledger) -> list[str]:
    with read_transaction(ledger.engine) as connection:
        return sorted(connection.scalars(sa.select(event.c.type)))


@pytest.fixture
def readers(make_readers: MakeReaders, subscribe: Subscribe) -> None:
    """Three active readers."""
    subscribe(make_readers(3))


@pytest.mark.usefixtures("readers")
@pytest.mark.parametrize(
    ("tracking", "answers", "fields", "stored"),
    [
        ({}, {}, {}, ["click", "delivered", "open"]),
        ({"opens": "all"}, {}, {}, ["click", "delivered", "open"]),
        ({"opens": "all"}, {"opens": False}, {}, ["click", "delivered", "open"]),
        # An issue was tracked, and readers are not asked any more: a refusal counts nevertheless.
        ({}, {"opens": False, "clicks": True}, {}, ["click", "delivered"]),
        ({"clicks": "ask"}, {"opens": False, "clicks": True}, {}, ["click", "delivered"]),
        ({}, {"opens": False}, {"email": "nobody@example.com"}, ["click", "delivered", "open"]),
        ({"opens": "ask"}, {"opens": True}, {}, ["click", "delivered", "open"]),
        ({"opens": "ask"}, {"opens": True}, {"email": READER.upper()},
         ["click", "delivered", "open"]),
        # Not asked, not agreed, agreed to the other one, not in the list.
        ({"opens": "ask"}, {}, {}, ["click", "delivered"]),
        ({"opens": "ask"}, {"opens": False}, {}, ["click", "delivered"]),
        ({"opens": "ask", "clicks": "ask"}, {"clicks": True}, {}, ["click", "delivered"]),
        ({"opens": "ask", "clicks": "ask"}, {"opens": False, "clicks": False}, {}, ["delivered"]),
        ({"opens": "ask"}, {"opens": True}, {"email": "nobody@example.com"},
         ["click", "delivered"]),
    ],
)  # fmt: skip
def test_events_are_stored_only_if_the_reader_agrees(
    ledger: Ledger,
    tracking: dict[str, str],
    answers: TrackingAnswers,
    fields: dict[str, str],
    stored: list[str],
) -> None:
    with ledger.engine.begin() as connection:
        record_tracking_answers(connection, 1, answers, FORM)
    events = [make_event(kind, **fields) for kind in ("delivered", "open", "click")]
    result = ingest_events(ledger, configured(tracking=tracking), events)
    assert stored_types(ledger) == stored
    assert (result.new_count, result.known_count) == (len(stored), 3 - len(stored))


@pytest.mark.usefixtures("readers")
def test_open_of_an_issue_sent_to_a_former_address(ledger: Ledger, prepared: PreparedEmail) -> None:
    frozen, config = freeze_send(ledger, prepared), configured(tracking="ask")
    with ledger.engine.begin() as connection:
        record_tracking_answers(connection, 1, {"opens": True}, FORM)
        changes.change_address(connection, READER, parse_address("new@example.com"), FORM)

    def count_stored(subscriber_id: int) -> int:
        sent = {"nl_send": str(frozen.id), "nl_subscriber": str(subscriber_id)}
        return ingest_events(ledger, config, [make_event("open", **sent)]).new_count

    assert (count_stored(1), count_stored(2)) == (1, 0)
    # Somebody else has that address now, and has not agreed.
    with ledger.engine.begin() as connection:
        changes.change_address(connection, "reader2@example.com", parse_address(READER), FORM)
    assert count_stored(1) == 0


@pytest.mark.usefixtures("readers")
def test_open_of_an_erased_reader_is_not_stored(ledger: Ledger) -> None:
    with ledger.engine.begin() as connection:
        record_tracking_answers(connection, 1, {"opens": True}, FORM)
    erase_address(ledger.engine, READER, NOW)
    ingest_events(ledger, configured(tracking="ask"), [make_event("open")])
    assert stored_types(ledger) == []
