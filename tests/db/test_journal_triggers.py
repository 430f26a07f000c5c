"""The journal is append-only; only deleting a subscriber deletes their entries."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import journal, subscriber

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)


@pytest.fixture
def ada(engine: sa.Engine) -> None:
    row: dict[str, Any] = {
        "id": 1, "address": "ada@b.com", "address_key": "ada@b.com", "status": "active",
        "attributes": {}, "token": "t", "joined_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    entry = {"subscriber_id": 1, "seq": 1, "at": NOW, "change": "subscribed", "status": "active",
            "method": "cli"}  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(subscriber).values(row))
        connection.execute(sa.insert(journal).values(entry))


def count_entries(engine: sa.Engine) -> int:
    with read_transaction(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(journal)).scalar_one()


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (sa.update(journal).values(status="pending"), "append-only"),
        (sa.update(journal).values(subscriber_id=1), "append-only"),
        (sa.delete(journal), "deleted only with their subscriber"),
    ],
)
def test_updating_or_deleting_an_entry_is_rejected(
    engine: sa.Engine, statement: sa.UpdateBase, message: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match=message), engine.begin() as connection:
        connection.execute(statement)
    assert count_entries(engine) == 1


@pytest.mark.usefixtures("ada")
def test_deleting_a_subscriber_deletes_their_entries(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(subscriber))
    assert count_entries(engine) == 0


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_truncating_the_journal_is_rejected_on_postgresql(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="deleted only with"), engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE journal")
