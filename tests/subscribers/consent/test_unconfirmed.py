"""Sign-ups that were never confirmed are deleted; nobody else is."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import event, journal, subscriber, transactional_email
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, unconfirmed
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.unconfirmed import BATCH_SIZE, purge_unconfirmed
from newsletter.subscribers.importing.bulk_writer import SubscriberBulkWriter
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber
from newsletter.subscribers.refused_signups import load_refused_signups

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
OLD = NOW - datetime.timedelta(days=31)
FORM = ChangeOrigin(OLD, "form", "/subscribe", "Yes")
API = ChangeOrigin(OLD, "api", "/api/subscribe", "Yes")
ADA = parse_address("ada@example.org")

pytestmark = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


def purge(engine: sa.Engine, now: datetime.datetime = NOW) -> int:
    return purge_unconfirmed(
        engine,
        now,
        max_age=datetime.timedelta(days=30),
        link_lifetime=datetime.timedelta(days=7),
    )


def sign_up(engine: sa.Engine, origin: ChangeOrigin = FORM, status: str = "pending") -> int:
    with engine.begin() as connection:
        return changes.subscribe(connection, ADA, status, origin).id


def load_ids(engine: sa.Engine) -> list[int]:
    with read_transaction(engine) as connection:
        return list(connection.scalars(sa.select(subscriber.c.id)))


@pytest.mark.parametrize("origin", [FORM, API])
def test_unconfirmed_sign_up_goes_with_its_journal_and_events(
    engine: sa.Engine, origin: ChangeOrigin
) -> None:
    sign_up(engine, origin)
    row = {"type": "delivered", "at": OLD, "raw": {"email": ADA.address}}
    with engine.begin() as connection:
        connection.execute(
            sa.insert(event),
            [
                row | {"sg_event_id": "1", "address_key": ADA.key},
                row | {"sg_event_id": "2", "address_key": "bob@example.org"},
            ],
        )
    assert purge(engine, NOW - datetime.timedelta(days=2)) == 0, "29 days old"
    assert purge(engine) == 1
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(subscriber)).all() == []
        assert connection.execute(sa.select(journal)).all() == []
        assert connection.scalars(sa.select(event.c.sg_event_id)).all() == ["2"]
        assert load_refused_signups(connection) == [("2026-11", "never_confirmed", 1)]
    assert purge(engine) == 0


def test_who_signs_up_again_afterwards_is_new(engine: sa.Engine) -> None:
    before = sign_up(engine)
    purge(engine)
    assert sign_up(engine) != before, "no id is used twice"


@pytest.mark.parametrize("method", ["import", "cli"])
def test_pending_readers_of_the_editor_stay(engine: sa.Engine, method: str) -> None:
    id_ = sign_up(engine, ChangeOrigin(OLD, method, "readers.csv:2"))
    assert purge(engine) == 0
    assert load_ids(engine) == [id_]


@pytest.mark.parametrize("detail", ["tag", "attribute"])
def test_who_was_given_details_by_an_import_stays(engine: sa.Engine, detail: str) -> None:
    id_ = sign_up(engine)
    with engine.begin() as connection:
        entry = ParsedSubscriber(
            line=2,
            address=ADA.address,
            key=ADA.key,
            name="",
            status="pending",
            tags=("choir",) if detail == "tag" else (),
            attributes={"city": "Bergen"} if detail == "attribute" else {},
        )
        SubscriberBulkWriter(connection, "readers.csv", OLD).write([entry])
    assert purge(engine) == 0
    assert load_ids(engine) == [id_]


def change_status(connection: sa.Connection, name: str) -> None:
    if name == "confirmed":
        changes.confirm(connection, ADA.key, FORM)
    elif name == "unsubscribed":
        changes.unsubscribe(connection, ADA.key, FORM)
    elif name == "bounced":
        changes.record_bounce(connection, ADA.key, FORM)
    else:
        # Pending again, after they had left.
        if name == "active once":
            changes.confirm(connection, ADA.key, FORM)
        changes.unsubscribe(connection, ADA.key, FORM)
        changes.resubscribe(connection, ADA, "pending", FORM)


@pytest.mark.parametrize(
    "name", ["confirmed", "unsubscribed", "bounced", "active once", "unsubscribed once"]
)
def test_who_is_or_was_anything_else_stays(engine: sa.Engine, name: str) -> None:
    id_ = sign_up(engine)
    with engine.begin() as connection:
        change_status(connection, name)
    assert purge(engine) == 0
    assert load_ids(engine) == [id_]


@pytest.mark.parametrize(
    ("created", "started", "expected"), [(6, None, 0), (8, None, 1), (8, 6, 0), (9, 8, 1)]
)
def test_who_has_a_link_that_still_works_stays(
    engine: sa.Engine, created: int, started: int | None, expected: int
) -> None:
    sign_up(engine)
    row = {"address": ADA.address, "address_key": ADA.key, "kind": "confirm", "window": "1"}
    created_at, started_at = (
        None if days is None else NOW - datetime.timedelta(days=days) for days in (created, started)
    )
    with engine.begin() as connection:
        connection.execute(
            sa.insert(transactional_email).values(
                **row, data={}, created_at=created_at, started_at=started_at
            )
        )
    assert purge(engine) == expected


def test_who_confirms_after_they_were_found_stays(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = sign_up(engine)
    find_ids = unconfirmed._find_ids

    def find_then_confirm(*arguments: Any) -> Any:
        ids = find_ids(*arguments)
        with engine.begin() as connection:
            changes.confirm(connection, ADA.key, FORM)
        return ids

    monkeypatch.setattr(unconfirmed, "_find_ids", find_then_confirm)
    assert purge(engine) == 0
    assert load_ids(engine) == [id_]


@pytest.mark.parametrize(
    ("kind", "address"), [("download", ADA.address), ("confirm", "bob@example.org")]
)
def test_other_emails_and_links_of_others_keep_nobody(
    engine: sa.Engine, kind: str, address: str
) -> None:
    sign_up(engine)
    row = {"address": address, "address_key": address, "kind": kind, "window": "1", "data": {}}
    with engine.begin() as connection:
        connection.execute(sa.insert(transactional_email).values(**row, created_at=NOW))
    assert purge(engine) == 1


def test_many_go_in_batches_between_those_who_stay(engine: sa.Engine) -> None:
    rows: list[dict[str, Any]] = []
    count = 2 * BATCH_SIZE + 50
    for number in range(count):
        address = f"reader{number}@example.org"
        rows.append(
            {"id": number + 1, "address": address, "address_key": address, "status": "pending",
             "attributes": {}, "token": str(number), "joined_at": OLD, "updated_at": OLD}
        )  # fmt: skip
    entry = {"seq": 1, "at": OLD, "change": "subscribed", "status": "pending"}
    entries = [
        entry | {"subscriber_id": row["id"], "method": "form" if row["id"] % 2 else "import"}
        for row in rows
    ]
    with engine.begin() as connection:
        connection.execute(sa.insert(subscriber), rows)
        connection.execute(sa.insert(journal), entries)
    assert purge(engine) == count / 2
    assert sorted(load_ids(engine)) == [row["id"] for row in rows if row["id"] % 2 == 0]
