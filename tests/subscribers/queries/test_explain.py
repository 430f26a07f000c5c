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
from newsletter.subscribers.segments.known_sends import KnownSend
from newsletter.subscribers.segments.parser import parse_query
from newsletter.subscribers.segments.to_sql import build_condition

ImportText = Callable[..., ImportSummary]
ZONE = ZoneInfo("Europe/Oslo")
BEFORE = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
FROZEN = datetime.datetime(2026, 11, 15, 9, 0, tzinfo=datetime.UTC)
AFTER = datetime.datetime(2026, 11, 20, 9, 0, tzinfo=datetime.UTC)


@pytest.fixture
def list_engine(engine: sa.Engine, import_text: ImportText) -> sa.Engine:
    import_text("email,city,status\nada@b.com,Oslo,active\nbo@b.com,,pending\n", now=BEFORE)
    return engine


def make_segment(text: str) -> Segment:
    known = KnownNames(attributes={"city": "text"}, sends=[KnownSend(1, "2026-11-15-ice")])
    query = parse_query(text, known, FROZEN.date())
    return Segment("", text, query, build_condition(query, ZONE))


def explain(
    engine: sa.Engine,
    address: str,
    segment: Segment | None = None,
    issue: str = "",
    now: datetime.datetime = AFTER,
) -> DeliveryExplanation:
    with read_transaction(engine) as connection:
        past_send = find_past_send(connection, issue) if issue else None
        return explain_delivery(
            connection,
            parse_address(address),
            segment=segment,
            past_send=past_send,
            now=now,
            zone=ZONE,
        )


def freeze(engine: sa.Engine, state: str | None, error: str = "") -> None:
    """Record a send in which Ada is a recipient in a state, or not at all."""
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
                sa.insert(send_recipient).values(
                    row | {"state": state, "error": error, "root_id": 1}
                )
            )


@pytest.mark.parametrize(
    ("state", "text", "results"),
    [
        ("accepted", "not opened:ice", [True]),
        ("accepted", "opened:ice", [False]),
        # They were not sent it: neither opened nor not opened.
        (None, "not opened:ice", [None]),
        ("skipped_late", "opened:ice", [None]),
        (None, "not (opened:ice and city = Oslo)", [None, None, None, True]),
        (None, "not (opened:ice and city = Bergen)", [True, False, None, False]),
        (None, "sent:ice", [False]),
    ],
)
def test_term_on_an_issue_that_was_not_sent_to_them(
    list_engine: sa.Engine, state: str | None, text: str, results: list[bool | None]
) -> None:
    freeze(list_engine, state, "some error")
    explanation = explain(list_engine, "ada@b.com", make_segment(text))
    assert [term.holds for term in explanation.terms] == results
    assert explanation.answer == ("yes" if results[0] else "no")


def test_paused_subscriber_gets_issues_from_the_end_of_the_pause(list_engine: sa.Engine) -> None:
    with list_engine.begin() as connection:
        set_paused_until(connection, 1, AFTER, BEFORE)
    explanation = explain(list_engine, "ada@b.com", now=FROZEN)
    assert (explanation.answer, explanation.status, explanation.paused_until) == (
        "no",
        "active",
        AFTER,
    )
    later = explain(list_engine, "ada@b.com", now=AFTER)
    assert (later.answer, later.paused_until) == ("yes", None)


def test_active_subscriber_gets_the_issue(list_engine: sa.Engine) -> None:
    explanation = explain(list_engine, "ADA@b.com")
    assert (explanation.address, explanation.answer, explanation.status) == (
        "ada@b.com",
        "yes",
        "active",
    )
    assert explanation.since
    assert (explanation.since.at, explanation.since.method) == (BEFORE, "import")
    assert (explanation.suppressed, explanation.terms, explanation.sent, explanation.copy) == (
        (),
        (),
        None,
        None,
    )


def test_pending_subscriber_does_not_get_the_issue(list_engine: sa.Engine) -> None:
    assert (explain(list_engine, "bo@b.com").answer, explain(list_engine, "bo@b.com").status) == (
        "no",
        "pending",
    )


def test_since_is_the_entry_that_changed_the_status(list_engine: sa.Engine) -> None:
    entries = [
        JournalEntry(FROZEN, "unsubscribed", "unsubscribed", "one_click"),
        JournalEntry(AFTER, "bounced", "unsubscribed", "webhook"),
    ]
    with list_engine.begin() as connection:
        for entry in entries:
            journal.append_entry(connection, 1, entry)
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == 1).values(status="unsubscribed")
        )
    explanation = explain(list_engine, "ada@b.com")
    assert (explanation.answer, explanation.since) == ("no", entries[0])


def test_only_an_erased_address_has_a_time_of_erasure(list_engine: sa.Engine) -> None:
    explanation = explain(list_engine, "nobody@b.com")
    assert (explanation.answer, explanation.status, explanation.erased_at) == ("no", "", None)
    erase_address(list_engine, "ada@b.com", AFTER)
    assert explain(list_engine, "ada@b.com").erased_at == AFTER
    assert explain(list_engine, "nobody@b.com").erased_at is None


def test_suppressed_subscriber_does_not_get_the_issue(list_engine: sa.Engine) -> None:
    row = {"address_key": "ada@b.com", "reason": "spam report", "since": AFTER, "source": "sync"}
    with list_engine.begin() as connection:
        connection.execute(sa.insert(suppression).values(row))
    explanation = explain(list_engine, "ada@b.com")
    assert explanation.answer == "no"
    assert [tuple(entry) for entry in explanation.suppressed] == [
        ("all", "spam report", AFTER, "sync")
    ]


def test_all_parts_of_a_segment_are_evaluated(list_engine: sa.Engine) -> None:
    explanation = explain(
        list_engine,
        "ada@b.com",
        make_segment("city = oslo and not (status:pending or domain = x.com)"),
    )
    assert explanation.answer == "yes"
    assert explanation.terms == (
        EvaluatedTerm(0, "city = oslo and not (status:pending or domain = x.com)", holds=True),
        EvaluatedTerm(1, "city = oslo", holds=True),
        EvaluatedTerm(1, "not (status:pending or domain = x.com)", holds=True),
        EvaluatedTerm(2, "status:pending or domain = x.com", holds=False),
        EvaluatedTerm(3, "status:pending", holds=False),
        EvaluatedTerm(3, "domain = x.com", holds=False),
    )
    assert explain(list_engine, "ada@b.com", make_segment("not city = oslo")).answer == "no"


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
def test_answer_by_the_state_of_the_recipient(
    list_engine: sa.Engine, state: str, answer: str
) -> None:
    freeze(list_engine, state, "some error")
    explanation = explain(list_engine, "ada@b.com", issue="ice")
    assert explanation.answer == answer
    assert explanation.copy
    assert (explanation.copy.state, explanation.copy.error) == (state, "some error")
    assert explanation.copy.sent_at == (FROZEN if state == "accepted" else None)


def test_pending_recipient_who_has_unsubscribed_gets_nothing(list_engine: sa.Engine) -> None:
    freeze(list_engine, "pending")
    with list_engine.begin() as connection:
        connection.execute(sa.update(subscriber).values(status="unsubscribed"))
    assert explain(list_engine, "ada@b.com", issue="ice").answer == "no"


def test_events_are_in_order_of_time(list_engine: sa.Engine) -> None:
    freeze(list_engine, "accepted")
    with list_engine.begin() as connection:
        for number, (type_, at) in enumerate((("open", AFTER), ("delivered", FROZEN))):
            row = {"sg_event_id": str(number), "type": type_, "at": at, "raw": {}, "send_id": 1}
            connection.execute(sa.insert(event).values(row | {"address_key": "ada@b.com"}))
    explanation = explain(list_engine, "ada@b.com", issue="ice")
    assert explanation.copy
    assert explanation.copy.events == (("delivered", FROZEN), ("open", AFTER))


def test_subscriber_outside_the_send_has_the_status_of_that_time(
    list_engine: sa.Engine, import_text: ImportText
) -> None:
    freeze(list_engine, None)
    import_text("late@b.com\n", now=AFTER)
    for address, status_then in (
        ("bo@b.com", "pending"),
        ("late@b.com", ""),
        ("ada@b.com", "active"),
    ):
        explanation = explain(list_engine, address, issue="ice")
        assert (explanation.answer, explanation.copy, explanation.then) == ("no", None, status_then)
