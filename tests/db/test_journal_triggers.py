"""Nothing but a subscriber's own deletion takes a line out of the journal."""

import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import journal, subscriber

NOW = datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC)


@pytest.fixture
def ada(engine: sa.Engine) -> None:
    person: dict[str, Any] = {
        "id": 1, "address": "ada@b.com", "address_key": "ada@b.com", "status": "active",
        "attributes": {}, "token": "t", "joined_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    line = {"subscriber_id": 1, "seq": 1, "at": NOW, "change": "subscribed", "status": "active",
            "method": "cli"}  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(subscriber).values(person))
        connection.execute(sa.insert(journal).values(line))


def lines(engine: sa.Engine) -> int:
    with read_transaction(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(journal)).scalar_one()


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        (sa.update(journal).values(status="pending"), "append-only"),
        (sa.update(journal).values(subscriber_id=1), "append-only"),
        (sa.delete(journal), "goes only with its subscriber"),
    ],
)
def test_a_line_stays_as_it_was_written(
    engine: sa.Engine, statement: sa.UpdateBase, refusal: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match=refusal), engine.begin() as connection:
        connection.execute(statement)
    assert lines(engine) == 1


@pytest.mark.usefixtures("ada")
def test_a_subscriber_takes_the_journal_along(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(subscriber))
    assert lines(engine) == 0


@pytest.mark.usefixtures("ada")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_no_truncation_on_postgresql(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="goes only with"), engine.begin() as connection:
        connection.exec_driver_sql("TRUNCATE journal")
