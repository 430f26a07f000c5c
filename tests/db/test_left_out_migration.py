"""The upgrade that finds who was left out by the reason: each of them gets one."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from newsletter.backup.retired_database import reinstate, retire
from newsletter.db.migrate import alembic_config, ensure_current_schema
from newsletter.db.schema import RECIPIENT_STATES, batch, send, send_recipient
from newsletter.errors import Location

NOW = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
KNOWN_REASON = "left the list"
ERASED_REASON = "the reason was erased"
EXPECTED = {
    "pending": "", "accepted": "", "skipped_late": ERASED_REASON, "rejected": ERASED_REASON,
    "dropped": ERASED_REASON, "unknown": "",
}  # fmt: skip


@pytest.fixture
def old_engine(empty_database: sa.Engine) -> sa.Engine:
    """A database of the version before, with a reader in each state in each of two sends.

    On PostgreSQL, the second send has a table of its own.
    """
    config = alembic_config()
    with empty_database.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        for id_ in (1, 2):
            insert_send(connection, id_)
    return empty_database


def insert_send(connection: sa.Connection, id_: int) -> None:
    row: dict[str, Any] = {
        "id": id_, "issue": f"2026-12-0{id_}-ice", "state": "done", "content_sha": "",
        "subject": "", "frozen_at": NOW, "total": 7, "excluded": {},
    }  # fmt: skip
    connection.execute(sa.insert(send).values(row))
    row = {"id": id_, "send_id": id_, "number": 1, "size": 7, "state": "accepted"}
    connection.execute(sa.insert(batch).values(row))
    is_partitioned = connection.dialect.name == "postgresql" and id_ == 2
    if is_partitioned:
        connection.execute(sa.text("SELECT newsletter_create_partition(2)"))
    insert = (
        f"INSERT INTO send_recipient{'_2' if is_partitioned else ''} "  # noqa: S608 - our names
        "(send_id, root_id, subscriber_id, address_key, batch_id, state, error) "
        f"VALUES ({id_}, {id_}, :reader, 'r' || CAST(:reader AS TEXT), {id_}, :state, :error)"
    )
    rows = [(state, "") for state in RECIPIENT_STATES] + [("skipped_late", KNOWN_REASON)]
    for reader, (state, error) in enumerate(rows, start=1):
        connection.execute(sa.text(insert), {"reader": reader, "state": state, "error": error})
    if is_partitioned:
        connection.execute(sa.text("SELECT newsletter_attach_partition(2)"))


def test_everybody_who_was_left_out_gets_a_reason(old_engine: sa.Engine) -> None:
    assert ensure_current_schema(old_engine, Location("database")) == "0008"
    columns = send_recipient.c.send_id, send_recipient.c.state, send_recipient.c.error
    query = sa.select(*columns).order_by(send_recipient.c.send_id, send_recipient.c.subscriber_id)
    with old_engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    reasons = [*EXPECTED.items(), ("skipped_late", KNOWN_REASON)]
    assert rows == [(id_, *reason) for id_ in (1, 2) for reason in reasons]


def test_retired_database_can_still_be_read_and_used_again(old_engine: sa.Engine) -> None:
    with old_engine.begin() as connection:
        retire(connection, {"url": "sqlite:///other.db", "at": NOW.isoformat(), "token": "t"})
    ensure_current_schema(old_engine, Location("database"))
    with (
        pytest.raises(sa.exc.DBAPIError, match="is retired"),
        old_engine.begin() as connection,
    ):
        connection.execute(sa.delete(send_recipient))
    with old_engine.begin() as connection:
        reinstate(connection)
        assert connection.execute(sa.delete(send_recipient)).rowcount == 2 * (len(EXPECTED) + 1)


@pytest.mark.parametrize("send_id", [1, 2])
def test_it_is_required_from_then_on(old_engine: sa.Engine, send_id: int) -> None:
    ensure_current_schema(old_engine, Location("database"))
    without = sa.update(send_recipient).where(send_recipient.c.send_id == send_id)
    with (
        pytest.raises(sa.exc.IntegrityError, match="ck_send_recipient_reason"),
        old_engine.begin() as connection,
    ):
        connection.execute(without.values(error=""))


def test_table_of_a_large_send_gets_the_index(old_engine: sa.Engine) -> None:
    ensure_current_schema(old_engine, Location("database"))
    with old_engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            indexes = sa.inspect(connection).get_indexes("send_recipient")
            assert [index["name"] for index in indexes] == [
                "ix_send_recipient_batch_id_subscriber_id", "ix_send_recipient_send_id"
            ]  # fmt: skip
            return
        query = "SELECT indexdef FROM pg_indexes WHERE tablename = :table"
        for table in ("send_recipient", "send_recipient_2"):
            definitions = connection.scalars(sa.text(query), {"table": table}).all()
            partial = [text for text in definitions if text.endswith("WHERE (error <> ''::text)")]
            assert len(partial) == 1


def test_cache_is_as_large_as_before(old_engine: sa.Engine) -> None:
    """The connection is used on: with a larger cache, each send on it takes longer."""
    query = "PRAGMA cache_size" if old_engine.dialect.name == "sqlite" else "SHOW work_mem"

    def read_size() -> object:
        with old_engine.connect() as connection:
            return connection.exec_driver_sql(query).scalar_one()

    before = read_size()
    ensure_current_schema(old_engine, Location("database"))
    assert read_size() == before
