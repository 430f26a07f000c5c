"""A subscriber's change of address."""

import datetime

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import (
    address_change,
    batch,
    event,
    metadata,
    send,
    send_recipient,
    subscriber,
    suppression,
    transactional_email,
)
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import ParsedAddress, parse_address
from newsletter.subscribers.consent import changes, journal
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.gdpr_export import find_profile, profile_to_dict

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
FORM = ChangeOrigin(NOW, "form", "/p")
ADA = parse_address("Ada@old.example")
NEW = parse_address("Ada.L@new.example")


@pytest.fixture
def token(engine: sa.Engine) -> str:
    with engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", FORM)
        found: str = connection.scalars(sa.select(subscriber.c.token)).one()
    return found


def change_address(engine: sa.Engine) -> changes.ChangeResult | None:
    with engine.begin() as connection:
        return changes.change_address(connection, ADA.key, NEW, FORM)


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_id_token_and_journal_are_kept(engine: sa.Engine, token: str) -> None:
    with engine.begin() as connection:
        changes.record_soft_bounce(connection, ADA.key, FORM, max_soft_bounces=5)
    moved = change_address(engine)
    assert moved
    assert (moved.before, moved.after) == ("active", "active")
    with read_transaction(engine) as connection:
        row = connection.execute(sa.select(subscriber)).one()
        entries = journal.load_journal(connection, row.id)
    assert (row.address, row.address_key, row.token) == (NEW.address, NEW.key, token)
    # Bounces of the old mailbox don't count for the new one.
    assert row.soft_bounces == 0
    assert [entry.change for entry in entries[1:]] == ["soft_bounced", "delivered", "confirmed"]
    assert entries[-1].wording == "address changed from ada@old.example to Ada.L@new.example"


def test_events_follow_the_new_address_and_are_erased_with_it(
    engine: sa.Engine, token: str
) -> None:
    assert token
    row = {"sg_event_id": "1", "type": "open", "at": NOW, "address_key": ADA.key}
    with engine.begin() as connection:
        connection.execute(sa.insert(event).values(**row, raw={"email": ADA.address}))
    change_address(engine)
    assert erase_address(engine, NEW.key, NOW)
    with read_transaction(engine) as connection:
        remaining = connection.execute(sa.select(event.c.address_key, event.c.raw)).one()
    assert (remaining.address_key[:7], remaining.raw) == ("erased:", {})


def insert_email(engine: sa.Engine, address: ParsedAddress, hours: int, kind: str) -> None:
    """Insert a transactional email that was sent some hours after the change of address."""
    row = {
        "kind": kind, "address": address.address, "address_key": address.key, "window": kind,
        "state": "accepted", "data": {}, "created_at": NOW + datetime.timedelta(hours=hours),
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(transactional_email).values(row))


@pytest.fixture
def moved(engine: sa.Engine, token: str) -> None:
    """A subscriber who has got an issue and emails at the old address, and has then moved."""
    assert token
    sent = {"id": 1, "issue": "ice", "state": "done", "content_sha": "", "subject": "",
            "frozen_at": NOW, "total": 1, "excluded": {}}  # fmt: skip
    error = f"550 {ADA.address} is over quota"
    sent_batch = {"id": 1, "send_id": 1, "number": 1, "size": 1, "state": "accepted"}
    recipient = {"send_id": 1, "subscriber_id": 1, "batch_id": 1, "address_key": ADA.key}
    with engine.begin() as connection:
        connection.execute(sa.insert(send).values(sent))
        connection.execute(sa.insert(batch).values(sent_batch | {"error": error}))
        connection.execute(
            sa.insert(send_recipient).values(recipient | {"state": "accepted", "root_id": 1})
        )
    insert_email(engine, ADA, -2, "confirm")
    insert_email(engine, ADA, -1, "move_from")
    insert_email(engine, NEW, -1, "move_to")
    change_address(engine)
    # Reported after the change.
    opened = {"sg_event_id": "1", "type": "open", "at": NOW, "address_key": ADA.key, "send_id": 1}
    with engine.begin() as connection:
        connection.execute(sa.insert(event).values(**opened, raw={"email": ADA.address}))


@pytest.mark.usefixtures("moved")
def test_export_has_the_emails_to_the_old_and_to_the_new_address(engine: sa.Engine) -> None:
    insert_email(engine, ADA, 1, "welcome")  # to somebody who has the old address now
    with read_transaction(engine) as connection:
        profile = find_profile(connection, NEW)
    assert {(email.kind, email.address) for email in profile.emails} == {
        ("confirm", ADA.address),
        ("move_from", ADA.address),
        ("move_to", NEW.address),
    }
    data = profile_to_dict(profile)
    assert data["emails"][-1]["kind"] == "confirm"
    assert data["requested_address"] == ""


def test_export_has_the_address_that_is_not_confirmed_yet(engine: sa.Engine, token: str) -> None:
    assert token
    row = {"address": NEW.address, "address_key": NEW.key, "requested_at": NOW}
    with engine.begin() as connection:
        connection.execute(sa.insert(address_change).values(subscriber_id=1, **row))
        assert find_profile(connection, ADA).requested_address == NEW.address


def test_erasure_leaves_nothing_of_a_requested_address(engine: sa.Engine, token: str) -> None:
    assert token
    row = {"address": NEW.address, "address_key": NEW.key, "requested_at": NOW}
    with engine.begin() as connection:
        connection.execute(sa.insert(address_change).values(subscriber_id=1, **row))
    insert_email(engine, NEW, 0, "move_to")
    insert_email(engine, NEW, 0, "confirm")  # NEW's own request
    assert erase_address(engine, ADA.key, NOW)
    with read_transaction(engine) as connection:
        assert connection.scalars(sa.select(transactional_email.c.kind)).all() == ["confirm"]


@pytest.mark.usefixtures("moved")
def test_erasure_leaves_nothing_of_the_old_address(engine: sa.Engine) -> None:
    assert erase_address(engine, NEW.key, NOW)
    with read_transaction(engine) as connection:
        cells = [connection.execute(sa.select(table)).all() for table in metadata.tables.values()]
    remaining = str(cells).casefold()
    assert "over quota" not in remaining
    for address in (ADA, NEW):
        assert address.key not in remaining


@pytest.mark.usefixtures("moved")
def test_erasure_keeps_what_the_new_owner_of_the_old_address_got(engine: sa.Engine) -> None:
    insert_email(engine, ADA, 1, "welcome")
    with engine.begin() as connection:
        changes.subscribe(connection, ADA, "active", FORM)
    assert erase_address(engine, NEW.key, NOW)
    with read_transaction(engine) as connection:
        kinds = connection.scalars(sa.select(transactional_email.c.kind)).all()
        assert connection.scalars(sa.select(subscriber.c.address_key)).all() == [ADA.key]
    assert kinds == ["welcome"]


def take_new_address(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        changes.subscribe(connection, NEW, "pending", FORM)


def suppress_new_address(engine: sa.Engine) -> None:
    row = {"address_key": NEW.key, "reason": "bounced", "since": NOW, "source": "a test"}
    with engine.begin() as connection:
        connection.execute(sa.insert(suppression).values(row))


def erase_new_address(engine: sa.Engine) -> None:
    take_new_address(engine)
    erase_address(engine, NEW.key, NOW)


def unsubscribe_old_address(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        changes.unsubscribe(connection, ADA.key, FORM)


@pytest.mark.parametrize(
    "prepare",
    [take_new_address, suppress_new_address, erase_new_address, unsubscribe_old_address],
)
def test_change_is_refused_if_the_old_or_the_new_address_cannot_be_mailed(
    engine: sa.Engine, token: str, prepare: object
) -> None:
    assert token
    assert callable(prepare)
    prepare(engine)
    with pytest.raises(SubscriberListError):
        change_address(engine)
    with read_transaction(engine) as connection:
        assert ADA.address in connection.scalars(sa.select(subscriber.c.address)).all()


def test_unknown_address_is_not_changed(engine: sa.Engine) -> None:
    assert change_address(engine) is None
