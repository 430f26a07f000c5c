import datetime
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import batch, send, send_recipient, subscriber, suppression
from newsletter.subscribers import ALL_SUBSCRIBERS
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.importing.import_list import ImportSummary
from newsletter.subscribers.queries.diff import AudienceDifference, iter_added, iter_removed
from newsletter.subscribers.queries.past_sends import PastSend, find_past_send
from newsletter.subscribers.tags import add_tag

ImportText = Callable[..., ImportSummary]
BEFORE = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
FROZEN = datetime.datetime(2026, 11, 15, 9, 0, tzinfo=datetime.UTC)
AFTER = datetime.datetime(2026, 11, 20, 9, 0, tzinfo=datetime.UTC)
ISSUE = "2026-11-15-ice"


def freeze(engine: sa.Engine, segment: str = "") -> PastSend:
    """Record a send to all active subscribers."""
    with engine.begin() as connection:
        active = connection.execute(
            sa.select(subscriber.c.id, subscriber.c.address_key)
            .where(subscriber.c.status == "active")
            .order_by(subscriber.c.id)
        ).all()
        row = {
            "id": 1, "issue": ISSUE, "state": "done", "content_sha": "", "subject": "",
            "frozen_at": FROZEN, "total": len(active), "excluded": {}, "segment": segment,
        }  # fmt: skip
        connection.execute(sa.insert(send).values(row))
        row = {"id": 1, "send_id": 1, "number": 1, "size": len(active), "state": "accepted"}
        connection.execute(sa.insert(batch).values(row))
        for id_, key in active:
            row = {"send_id": 1, "subscriber_id": id_, "address_key": key, "batch_id": 1}
            connection.execute(
                sa.insert(send_recipient).values(row | {"state": "accepted", "root_id": 1})
            )
        past_send = find_past_send(connection, "ice")
    assert past_send
    return past_send


def record_change(engine: sa.Engine, address: str, entry: JournalEntry) -> None:
    """Append a journal entry and set the subscriber's status accordingly."""
    with engine.begin() as connection:
        id_ = connection.execute(
            sa.select(subscriber.c.id).where(subscriber.c.address_key == address)
        ).scalar_one()
        journal.append_entry(connection, id_, entry)
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == id_).values(status=entry.status)
        )


def compare(
    engine: sa.Engine, past_send: PastSend, condition: sa.ColumnElement[bool] = ALL_SUBSCRIBERS
) -> tuple[list[AudienceDifference], list[AudienceDifference]]:
    with read_transaction(engine) as connection:
        added = list(iter_added(connection, past_send, condition))
        return added, list(iter_removed(connection, past_send, condition))


@pytest.fixture
def past_send(engine: sa.Engine, import_text: ImportText) -> PastSend:
    """Ada, Bo and Cy were in the send; Di was pending and Ed unsubscribed."""
    import_text(
        "email,status\nada@b.com,active\nbo@b.com,active\ncy@b.com,active\ndi@b.com,pending\n"
        "ed@b.com,unsubscribed\n",
        now=BEFORE,
    )
    return freeze(engine)


def test_no_difference_without_changes(engine: sa.Engine, past_send: PastSend) -> None:
    assert past_send.total == 3
    assert compare(engine, past_send) == ([], [])


def test_added_subscribers_and_reasons(
    engine: sa.Engine, past_send: PastSend, import_text: ImportText
) -> None:
    import_text("new@b.com\n", now=AFTER)
    record_change(
        engine, "di@b.com", JournalEntry(AFTER, "confirmed", "active", "form", "https://x")
    )
    record_change(engine, "ed@b.com", JournalEntry(AFTER, "resubscribed", "active", "cli"))
    added, removed = compare(engine, past_send)
    assert removed == []
    assert added[:2] == [
        AudienceDifference("di@b.com", "confirmed", AFTER, "form", "https://x"),
        AudienceDifference("ed@b.com", "resubscribed", AFTER, "cli"),
    ]
    assert (added[2].address, added[2].why, added[2].at, added[2].how) == (
        "new@b.com",
        "imported",
        AFTER,
        "import",
    )


def test_removed_subscribers_and_reasons(engine: sa.Engine, past_send: PastSend) -> None:
    record_change(
        engine, "ada@b.com", JournalEntry(AFTER, "unsubscribed", "unsubscribed", "one_click")
    )
    with engine.begin() as connection:
        row = {"address_key": "bo@b.com", "reason": "spam report", "since": AFTER, "source": "x"}
        connection.execute(sa.insert(suppression).values(row))
        connection.execute(sa.delete(subscriber).where(subscriber.c.address_key == "cy@b.com"))
    assert compare(engine, past_send) == (
        [],
        [
            AudienceDifference("ada@b.com", "unsubscribed", AFTER, "one_click"),
            AudienceDifference("bo@b.com", "spam report"),
            AudienceDifference("", "erased"),
        ],
    )


def test_segment_is_evaluated_today(engine: sa.Engine, import_text: ImportText) -> None:
    import_text("ada@b.com\nbo@b.com\n", now=BEFORE)
    past_send = freeze(engine, "tag:vip")
    with engine.begin() as connection:
        connection.execute(
            sa.delete(send_recipient).where(send_recipient.c.address_key == "bo@b.com")
        )
        add_tag(connection, "vip", subscriber.c.address_key == "bo@b.com")
    vips = subscriber.c.address_key == "bo@b.com"
    assert compare(engine, past_send, vips) == (
        [AudienceDifference("bo@b.com", "came into the segment")],
        [AudienceDifference("ada@b.com", "left the segment")],
    )


def test_lifted_suppression_is_a_reason(engine: sa.Engine, past_send: PastSend) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(send_recipient).where(send_recipient.c.subscriber_id == 1))
    added, _ = compare(engine, past_send)
    assert [(row.address, row.why) for row in added] == [("ada@b.com", "no longer suppressed")]


def test_find_past_send_by_name(engine: sa.Engine, past_send: PastSend) -> None:
    with read_transaction(engine) as connection:
        assert find_past_send(connection, ISSUE) == find_past_send(connection, "ice") == past_send
        assert find_past_send(connection, "tide") is None
