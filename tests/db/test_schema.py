import datetime

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.column_types import ByCodePoint, metadata
from newsletter.db.schema import event

OSLO = datetime.timezone(datetime.timedelta(hours=2))
NOON = datetime.datetime(2026, 6, 1, 12, 0, 0, 5, tzinfo=OSLO)


def insert(engine: sa.Engine, key: str, at: datetime.datetime) -> None:
    with engine.begin() as connection:
        row = {"sg_event_id": key, "type": "open", "at": at, "raw": {"sn\u00f8": [1, None]}}
        connection.execute(sa.insert(event).values(row))


def test_times_and_json_round_trip(engine: sa.Engine) -> None:
    insert(engine, "1", NOON)
    with read_transaction(engine) as connection:
        at, raw = connection.execute(sa.select(event.c.at, event.c.raw)).one()
    assert (at, at.utcoffset()) == (NOON, datetime.timedelta(0))
    assert raw == {"sn\u00f8": [1, None]}


def test_times_of_different_zones_sort_chronologically(engine: sa.Engine) -> None:
    later = NOON.astimezone(datetime.UTC) + datetime.timedelta(microseconds=1)
    insert(engine, "later", later)
    insert(engine, "earlier", NOON)
    with read_transaction(engine) as connection:
        first = connection.scalar(sa.select(event.c.sg_event_id).order_by(event.c.at))
        after = connection.scalars(sa.select(event.c.sg_event_id).where(event.c.at > NOON)).all()
    assert (first, after) == ("earlier", ["later"])


def test_naive_datetime_is_rejected(engine: sa.Engine) -> None:
    with pytest.raises(sa.exc.StatementError, match="without a time zone"):
        insert(engine, "1", NOON.replace(tzinfo=None))


def test_text_is_sorted_by_code_point_in_every_database(engine: sa.Engine) -> None:
    texts = ["b", "C", "_a", "\u00e4", "z", "Z", "a", "-b", "\U00010348", "\ufb01"]
    for text in texts:
        insert(engine, text, NOON)
    order = ByCodePoint(event.c.sg_event_id)
    with read_transaction(engine) as connection:
        assert connection.scalars(sa.select(order).order_by(order)).all() == sorted(texts)
        assert connection.scalar(sa.select(sa.func.min(order))) == min(texts)


def test_no_check_has_a_list() -> None:
    """SQLite would build the list of an IN again for each row that is written."""
    checks = [
        (table.name, str(constraint.sqltext))
        for table in metadata.tables.values()
        for constraint in table.constraints
        if isinstance(constraint, sa.CheckConstraint)
    ]
    assert len(checks) > 10
    assert [check for check in checks if " IN " in check[1].upper()] == []
