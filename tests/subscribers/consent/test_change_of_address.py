"""A reader's change of address."""

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


def move(engine: sa.Engine) -> changes.ChangeResult | None:
    with engine.begin() as connection:
        return changes.change_address(connection, ADA.key, NEW, FORM)


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_they_stay_who_they_are(engine: sa.Engine, token: str) -> None:
    with engine.begin() as connection:
        changes.record_soft_bounce(connection, ADA.key, FORM, max_soft_bounces=5)
    moved = move(engine)
    assert moved
    assert (moved.before, moved.after) == ("active", "active")
    with read_transaction(engine) as connection:
        row = connection.execute(sa.select(subscriber)).one()
        lines = journal.load_journal(connection, row.id)
    assert (row.address, row.address_key, row.token) == (NEW.address, NEW.key, token)
    # The old mailbox's bounces say nothing about the new one.
    assert row.soft_bounces == 0
    assert [line.change for line in lines[1:]] == ["soft_bounced", "delivered", "confirmed"]
    assert lines[-1].wording == "address changed from ada@old.example to Ada.L@new.example"


def test_what_the_vendor_reported_goes_along_and_is_erased_with_them(
    engine: sa.Engine, token: str
) -> None:
    assert token
    told = {"sg_event_id": "1", "type": "open", "at": NOW, "address_key": ADA.key}
    with engine.begin() as connection:
        connection.execute(sa.insert(event).values(**told, raw={"email": ADA.address}))
    move(engine)
    assert erase_address(engine, NEW.key, NOW)
    with read_transaction(engine) as connection:
        left = connection.execute(sa.select(event.c.address_key, event.c.raw)).one()
    assert (left.address_key[:7], left.raw) == ("erased:", {})


def take(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        changes.subscribe(connection, NEW, "pending", FORM)


def suppress(engine: sa.Engine) -> None:
    row = {"address_key": NEW.key, "reason": "bounced", "since": NOW, "source": "a test"}
    with engine.begin() as connection:
        connection.execute(sa.insert(suppression).values(row))


def take_and_erase(engine: sa.Engine) -> None:
    take(engine)
    erase_address(engine, NEW.key, NOW)


def leave(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        changes.unsubscribe(connection, ADA.key, FORM)


@pytest.mark.parametrize("before", [take, suppress, take_and_erase, leave])
def test_nobody_moves_where_or_whence_no_mail_may_go(
    engine: sa.Engine, token: str, before: object
) -> None:
    assert token
    assert callable(before)
    before(engine)
    with pytest.raises(SubscriberListError):
        move(engine)
    with read_transaction(engine) as connection:
        assert ADA.address in connection.scalars(sa.select(subscriber.c.address)).all()


def test_a_stranger_does_not_move(engine: sa.Engine) -> None:
    assert move(engine) is None
