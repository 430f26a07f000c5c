"""The upgrade that lets an issue have catch-ups: rows of earlier versions become roots."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from newsletter.db.migrate import alembic_config, ensure_current_schema
from newsletter.db.schema import batch, send, send_recipient
from newsletter.errors import Location

OLD_INSERT = sa.text(
    "INSERT INTO send_recipient (send_id, subscriber_id, address_key, batch_id, state, error) "
    "VALUES (:id, :reader, :key, :id, 'rejected', 'why')"
)
NOW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)


@pytest.fixture
def old_engine(empty_database: sa.Engine) -> sa.Engine:
    """A database of the version before, with two sends to the same two readers."""
    config = alembic_config()
    with empty_database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
        for id_ in (1, 2):
            row: dict[str, Any] = {
                "id": id_, "issue": f"2026-12-0{id_}-ice", "state": "done", "content_sha": "",
                "subject": "", "frozen_at": NOW, "total": 2, "excluded": {},
            }  # fmt: skip
            connection.execute(sa.insert(send).values(row))
            row = {"id": id_, "send_id": id_, "number": 1, "size": 2, "state": "accepted"}
            connection.execute(sa.insert(batch).values(row))
            for reader in (1, 2):
                connection.execute(
                    OLD_INSERT, {"id": id_, "reader": reader, "key": f"r{reader}@example.com"}
                )
    return empty_database


def test_recipients_of_earlier_versions_belong_to_their_own_send(old_engine: sa.Engine) -> None:
    assert ensure_current_schema(old_engine, Location("database")) == "0004"
    columns = ("root_id", "send_id", "subscriber_id", "address_key", "batch_id", "state", "error")
    query = sa.select(*(send_recipient.c[name] for name in columns)).order_by(
        send_recipient.c.send_id, send_recipient.c.subscriber_id
    )
    with old_engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
        assert connection.scalars(sa.select(send.c.parent_id)).all() == [None, None]
    assert rows == [
        (id_, id_, reader, f"r{reader}@example.com", id_, "rejected", "why")
        for id_ in (1, 2)
        for reader in (1, 2)
    ]
