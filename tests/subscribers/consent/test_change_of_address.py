"""A subscriber's change of address."""

import datetime

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import event, subscriber, suppression
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, journal
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin

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
