import datetime
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import (
    attempt,
    batch,
    event,
    send,
    send_recipient,
    subscriber,
    suppression,
)
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.importing.import_list import ImportSummary
from newsletter.subscribers.preferences import set_paused_until
from newsletter.subscribers.queries.explain import (
    DeliveryExplanation,
    EvaluatedTerm,
    explain_delivery,
)
from newsletter.subscribers.queries.past_sends import find_past_send
from newsletter.subscribers.segments import Segment
from newsletter.subscribers.segments.ast_builder import KnownNames
from newsletter.subscribers.segments.parser import parse_query
from newsletter.subscribers.segments.to_sql import build_condition

Import = Callable[..., ImportSummary]
ZONE = ZoneInfo("Europe/Oslo")
BEFORE = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
FROZEN = datetime.datetime(2026, 11, 15, 9, 0, tzinfo=datetime.UTC)
AFTER = datetime.datetime(2026, 11, 20, 9, 0, tzinfo=datetime.UTC)


@pytest.fixture
def readers(engine: sa.Engine, imported: Import) -> sa.Engine:
    imported("email,city,status\nada@b.com,Oslo,active\nbo@b.com,,pending\n", now=BEFORE)
    return engine


def segment(text: str) -> Segment:
    query = parse_query(text, KnownNames(attributes={"city": "text"}), FROZEN.date())
    return Segment("", text, query, build_condition(query, ZONE))


def explained(
    engine: sa.Engine,
    address: str,
    of: Segment | None = None,
    issue: str = "",
    now: datetime.datetime = AFTER,
) -> DeliveryExplanation:
    with read_transaction(engine) as connection:
        sent = find_past_send(connection, issue) if issue else None
        return explain_delivery(
            connection, parse_address(address), segment=of, past_send=sent, now=now, zone=ZONE
        )


def freeze(engine: sa.Engine, state: str | None, error: str = "") -> None:
    """A send with Ada's copy in a state, or without her."""
    with engine.begin() as connection:
        row: dict[str, Any] = {
            "id": 1, "issue": "2026-11-15-ice", "state": "running", "content_sha": "",
            "subject": "", "frozen_at": FROZEN, "total": 1, "excluded": {},
        }  # fmt: skip
        connection.execute(sa.insert(send).values(row))
        row = {"id": 1, "send_id": 1, "number": 1, "size": 1, "state": "accepted"}
        connection.execute(sa.insert(batch).values(row))
        row = {"batch_id": 1, "number": 1, "body_sha": "", "started_at": FROZEN, "ended_at": FROZEN}
        connection.execute(sa.insert(attempt).values(row | {"outcome": "accepted"}))
        if state:
            row = {"send_id": 1, "subscriber_id": 1, "address_key": "ada@b.com", "batch_id": 1}
            connection.execute(
                sa.insert(send_recipient).values(row | {"state": state, "error": error})
            )


def test_a_reader_who_has_asked_for_a_pause(readers: sa.Engine) -> None:
    with readers.begin() as connection:
        set_paused_until(connection, 1, AFTER, BEFORE)
    found = explained(readers, "ada@b.com", now=FROZEN)
    assert (found.answer, found.status, found.paused_until) == ("no", "active", AFTER)
    over = explained(readers, "ada@b.com", now=AFTER)
    assert (over.answer, over.paused_until) == ("yes", None)


def test_a_reader_who_would_get_an_issue(readers: sa.Engine) -> None:
    found = explained(readers, "ADA@b.com")
    assert (found.address, found.answer, found.status) == ("ada@b.com", "yes", "active")
    assert found.since
    assert (found.since.at, found.since.method) == (BEFORE, "import")
    assert (found.suppressed, found.terms, found.sent, found.copy) == ((), (), None, None)


def test_somebody_who_has_not_confirmed(readers: sa.Engine) -> None:
    assert (explained(readers, "bo@b.com").answer, explained(readers, "bo@b.com").status) == (
        "no", "pending",
    )  # fmt: skip


def test_a_status_since_the_change_that_made_it(readers: sa.Engine) -> None:
    lines = [
        JournalEntry(FROZEN, "unsubscribed", "unsubscribed", "one_click"),
        JournalEntry(AFTER, "bounced", "unsubscribed", "webhook"),
    ]
    with readers.begin() as connection:
        for line in lines:
            journal.append_entry(connection, 1, line)
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 1).values(status="unsubscribed")
        )
    found = explained(readers, "ada@b.com")
    assert (found.answer, found.since) == ("no", lines[0])


def test_a_stranger_and_somebody_erased(readers: sa.Engine) -> None:
    found = explained(readers, "nobody@b.com")
    assert (found.answer, found.status, found.erased_at) == ("no", "", None)
    erase_address(readers, "ada@b.com", AFTER)
    assert explained(readers, "ada@b.com").erased_at == AFTER
    assert explained(readers, "nobody@b.com").erased_at is None


def test_a_suppression(readers: sa.Engine) -> None:
    row = {"address_key": "ada@b.com", "reason": "spam report", "since": AFTER, "source": "sync"}
    with readers.begin() as connection:
        connection.execute(sa.insert(suppression).values(row))
    found = explained(readers, "ada@b.com")
    assert found.answer == "no"
    assert [tuple(each) for each in found.suppressed] == [("all", "spam report", AFTER, "sync")]


def test_every_part_of_a_segment_has_its_answer(readers: sa.Engine) -> None:
    found = explained(
        readers, "ada@b.com", segment("city = oslo and not (status:pending or domain = x.com)")
    )
    assert found.answer == "yes"
    assert found.terms == (
        EvaluatedTerm(0, "city = oslo and not (status:pending or domain = x.com)", holds=True),
        EvaluatedTerm(1, "city = oslo", holds=True),
        EvaluatedTerm(1, "not (status:pending or domain = x.com)", holds=True),
        EvaluatedTerm(2, "status:pending or domain = x.com", holds=False),
        EvaluatedTerm(3, "status:pending", holds=False),
        EvaluatedTerm(3, "domain = x.com", holds=False),
    )
    assert explained(readers, "ada@b.com", segment("not city = oslo")).answer == "no"


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        ("accepted", "yes"),
        ("pending", "yes"),
        ("unknown", "maybe"),
        ("skipped_late", "no"),
        ("rejected", "no"),
        ("dropped", "no"),
    ],
)
def test_an_issue_that_is_being_sent(readers: sa.Engine, state: str, answer: str) -> None:
    freeze(readers, state, "some words")
    found = explained(readers, "ada@b.com", issue="ice")
    assert found.answer == answer
    assert found.copy
    assert (found.copy.state, found.copy.error) == (state, "some words")
    assert found.copy.sent_at == (FROZEN if state == "accepted" else None)


def test_a_copy_still_to_go_does_not_reach_somebody_who_has_left(readers: sa.Engine) -> None:
    freeze(readers, "pending")
    with readers.begin() as connection:
        connection.execute(sa.update(subscriber).values(status="unsubscribed"))
    assert explained(readers, "ada@b.com", issue="ice").answer == "no"


def test_what_was_reported_of_a_copy(readers: sa.Engine) -> None:
    freeze(readers, "accepted")
    with readers.begin() as connection:
        for number, (type_, at) in enumerate((("open", AFTER), ("delivered", FROZEN))):
            row = {"sg_event_id": str(number), "type": type_, "at": at, "raw": {}, "send_id": 1}
            connection.execute(sa.insert(event).values(row | {"address_key": "ada@b.com"}))
    found = explained(readers, "ada@b.com", issue="ice")
    assert found.copy
    assert found.copy.events == (("delivered", FROZEN), ("open", AFTER))


def test_somebody_who_was_not_in_the_send(readers: sa.Engine, imported: Import) -> None:
    freeze(readers, None)
    imported("late@b.com\n", now=AFTER)
    for address, then in (("bo@b.com", "pending"), ("late@b.com", ""), ("ada@b.com", "active")):
        found = explained(readers, address, issue="ice")
        assert (found.answer, found.copy, found.then) == ("no", None, then)
