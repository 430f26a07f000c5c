"""What is not an event is kept once, for 90 days, up to a number and a size."""

import datetime

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import unreadable_event
from newsletter.events import unreadable_store
from newsletter.events.unreadable_item import make_unreadable_item
from newsletter.events.unreadable_store import (
    RETENTION,
    purge_unreadable,
    record_unreadable,
    summarize_unreadable,
)

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)


def record(engine: sa.Engine, *texts: str, at: datetime.datetime = NOW) -> int:
    items = [make_unreadable_item(text.encode(), "it is not valid JSON") for text in texts]
    with engine.begin() as connection:
        return record_unreadable(connection, items, at)


def load_texts(engine: sa.Engine) -> list[str]:
    with read_transaction(engine) as connection:
        bodies = connection.scalars(sa.select(unreadable_event.c.body).order_by("id"))
        return [body.decode() for body in bodies]


def count_dropped(engine: sa.Engine) -> int:
    with read_transaction(engine) as connection:
        return summarize_unreadable(connection).dropped_count


def test_same_text_is_kept_once(engine: sa.Engine) -> None:
    assert record(engine, "a", "b", "a") == 2
    assert record(engine, "b", "c", at=NOW + datetime.timedelta(hours=1)) == 1
    assert record(engine) == 0
    assert load_texts(engine) == ["a", "b", "c"]
    with read_transaction(engine) as connection:
        assert summarize_unreadable(connection) == (3, NOW + datetime.timedelta(hours=1), 0)


def test_number_is_limited_and_the_oldest_are_dropped_and_counted(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unreadable_store, "MAX_ROWS", 3)
    record(engine, "a", "b")
    record(engine, "c", "d")
    assert (load_texts(engine), count_dropped(engine)) == (["b", "c", "d"], 1)
    record(engine, "e", "f", "g", "h", "i")
    assert (load_texts(engine), count_dropped(engine)) == (["g", "h", "i"], 6)


def test_size_is_limited_and_the_oldest_are_dropped_and_counted(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unreadable_store, "MAX_TOTAL_BYTES", 10)
    record(engine, "aaaa", "bbbb", "c")
    assert count_dropped(engine) == 0
    record(engine, "dddddd")
    assert (load_texts(engine), count_dropped(engine)) == (["c", "dddddd"], 2)


def test_old_ones_are_deleted_and_not_counted_as_dropped(engine: sa.Engine) -> None:
    record(engine, "old", at=NOW - RETENTION - datetime.timedelta(seconds=1))
    record(engine, "new", at=NOW - RETENTION + datetime.timedelta(days=1))
    assert load_texts(engine) == ["old", "new"]
    with engine.begin() as connection:
        purge_unreadable(connection, NOW)
    assert (load_texts(engine), count_dropped(engine)) == (["new"], 0)
