"""The upgrade that records consent to tracking: it makes two tables anew, and loses nothing."""

import datetime

import pytest
import sqlalchemy as sa
from alembic import command

from newsletter.db.migrate import alembic_config, ensure_current_schema
from newsletter.db.schema import journal, subscriber, transactional_email
from newsletter.errors import Location

NOW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
ENTRY = {
    "subscriber_id": 1, "seq": 1, "at": NOW, "change": "subscribed", "status": "pending",
    "method": "form", "source": "/subscribe", "wording": "Weekly, please.",
}  # fmt: skip
EMAIL = {
    "kind": "confirm",
    "address": "Ada@example.com",
    "address_key": "ada@example.com",
    "window": "1/3600",
    "data": {"name": "Ada"},
    "created_at": NOW,
}
OLD_SUBSCRIBER = sa.text(
    "INSERT INTO subscriber (id, address, address_key, status, attributes, token, joined_at, "
    "updated_at) VALUES (1, 'Ada@example.com', 'ada@example.com', 'pending', '{}', 't', :now, :now)"
).bindparams(sa.bindparam("now", type_=subscriber.c.joined_at.type))


@pytest.fixture
def old_engine(empty_database: sa.Engine) -> sa.Engine:
    """A database of the version before, with a journal and with emails, of which two are gone."""
    config = alembic_config()
    with empty_database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.execute(OLD_SUBSCRIBER, {"now": NOW})
        connection.execute(sa.insert(journal), ENTRY)
        for window in ("1/3600", "2/3600", "3/3600"):
            connection.execute(sa.insert(transactional_email), {**EMAIL, "window": window})
        connection.execute(sa.delete(transactional_email).where(transactional_email.c.id > 1))
    return empty_database


def test_journal_and_emails_stay_as_they_were(old_engine: sa.Engine) -> None:
    assert ensure_current_schema(old_engine, Location("database")) == "0005"
    with old_engine.connect() as connection:
        assert [dict(row) for row in connection.execute(sa.select(journal)).mappings()] == [ENTRY]
        email = connection.execute(sa.select(transactional_email)).mappings().one()
        assert {name: email[name] for name in EMAIL} == EMAIL
        consent = sa.select(subscriber.c.opens_consent, subscriber.c.clicks_consent)
        assert connection.execute(consent).all() == [(None, None)]


def test_the_id_of_a_deleted_email_is_not_used_again(old_engine: sa.Engine) -> None:
    ensure_current_schema(old_engine, Location("database"))
    with old_engine.begin() as connection:
        row = {**EMAIL, "kind": "erase"}
        new_id = connection.scalar(
            sa.insert(transactional_email).values(row).returning(transactional_email.c.id)
        )
    assert new_id == 4


def test_the_journal_takes_consents_and_is_still_append_only(old_engine: sa.Engine) -> None:
    ensure_current_schema(old_engine, Location("database"))
    with old_engine.begin() as connection:
        connection.execute(sa.insert(journal), {**ENTRY, "seq": 2, "change": "opens_allowed"})
    for statement in (sa.update(journal).values(wording=""), sa.delete(journal)):
        with pytest.raises(sa.exc.DBAPIError, match="journal"), old_engine.begin() as connection:
            connection.execute(statement)
