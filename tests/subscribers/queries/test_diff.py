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

Import = Callable[..., ImportSummary]
BEFORE = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
FROZEN = datetime.datetime(2026, 11, 15, 9, 0, tzinfo=datetime.UTC)
AFTER = datetime.datetime(2026, 11, 20, 9, 0, tzinfo=datetime.UTC)
ISSUE = "2026-11-15-ice"


def freeze(engine: sa.Engine, segment: str = "") -> PastSend:
    """Send to whoever is active now."""
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
            connection.execute(sa.insert(send_recipient).values(row | {"state": "accepted"}))
        sent = find_past_send(connection, "ice")
    assert sent
    return sent


def change(engine: sa.Engine, address: str, line: JournalEntry) -> None:
    """What the journal and the subscriber's row are after a change."""
    with engine.begin() as connection:
        id_ = connection.execute(
            sa.select(subscriber.c.id).where(subscriber.c.address_key == address)
        ).scalar_one()
        journal.append_entry(connection, id_, line)
        connection.execute(
            sa.update(subscriber).where(subscriber.c.id == id_).values(status=line.status)
        )


def difference(
    engine: sa.Engine, sent: PastSend, within: sa.ColumnElement[bool] = ALL_SUBSCRIBERS
) -> tuple[list[AudienceDifference], list[AudienceDifference]]:
    with read_transaction(engine) as connection:
        came = list(iter_added(connection, sent, within))
        return came, list(iter_removed(connection, sent, within))


@pytest.fixture
def sent(engine: sa.Engine, imported: Import) -> PastSend:
    """Ada, Bo and Cy were in the send; Di was pending and Ed unsubscribed."""
    imported(
        "email,status\nada@b.com,active\nbo@b.com,active\ncy@b.com,active\ndi@b.com,pending\n"
        "ed@b.com,unsubscribed\n",
        now=BEFORE,
    )
    return freeze(engine)


def test_nothing_has_changed(engine: sa.Engine, sent: PastSend) -> None:
    assert sent.total == 3
    assert difference(engine, sent) == ([], [])


def test_who_came_and_why(engine: sa.Engine, sent: PastSend, imported: Import) -> None:
    imported("new@b.com\n", now=AFTER)
    change(engine, "di@b.com", JournalEntry(AFTER, "confirmed", "active", "form", "https://x"))
    change(engine, "ed@b.com", JournalEntry(AFTER, "resubscribed", "active", "cli"))
    came, left = difference(engine, sent)
    assert left == []
    assert came[:2] == [
        AudienceDifference("di@b.com", "confirmed", AFTER, "form", "https://x"),
        AudienceDifference("ed@b.com", "resubscribed", AFTER, "cli"),
    ]
    assert (came[2].address, came[2].why, came[2].at, came[2].how) == (
        "new@b.com", "imported", AFTER, "import",
    )  # fmt: skip


def test_who_left_and_why(engine: sa.Engine, sent: PastSend) -> None:
    change(engine, "ada@b.com", JournalEntry(AFTER, "unsubscribed", "unsubscribed", "one_click"))
    with engine.begin() as connection:
        row = {"address_key": "bo@b.com", "reason": "spam report", "since": AFTER, "source": "x"}
        connection.execute(sa.insert(suppression).values(row))
        connection.execute(sa.delete(subscriber).where(subscriber.c.address_key == "cy@b.com"))
    assert difference(engine, sent) == (
        [],
        [
            AudienceDifference("ada@b.com", "unsubscribed", AFTER, "one_click"),
            AudienceDifference("bo@b.com", "spam report"),
            AudienceDifference("", "erased"),
        ],
    )


def test_a_segment_is_what_it_finds_today(engine: sa.Engine, imported: Import) -> None:
    imported("ada@b.com\nbo@b.com\n", now=BEFORE)
    sent = freeze(engine, "tag:vip")
    with engine.begin() as connection:
        connection.execute(
            sa.delete(send_recipient).where(send_recipient.c.address_key == "bo@b.com")
        )
        add_tag(connection, "vip", subscriber.c.address_key == "bo@b.com")
    vips = subscriber.c.address_key == "bo@b.com"
    assert difference(engine, sent, vips) == (
        [AudienceDifference("bo@b.com", "came into the segment")],
        [AudienceDifference("ada@b.com", "left the segment")],
    )


def test_a_suppression_that_was_lifted(engine: sa.Engine, sent: PastSend) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(send_recipient).where(send_recipient.c.subscriber_id == 1))
    came, _ = difference(engine, sent)
    assert [(each.address, each.why) for each in came] == [("ada@b.com", "no longer suppressed")]


def test_a_send_by_name(engine: sa.Engine, sent: PastSend) -> None:
    with read_transaction(engine) as connection:
        assert find_past_send(connection, ISSUE) == find_past_send(connection, "ice") == sent
        assert find_past_send(connection, "tide") is None
