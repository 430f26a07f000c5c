"""Whom readers asked to erase stays erased, whatever older copy of the database is restored."""

import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.backup.erasure_record import record_path, renew_erasures
from newsletter.db import read_transaction
from newsletter.db.schema import erased, journal, setting, subscriber
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address, find_erased
from newsletter.subscribers.consent.journal import ChangeOrigin

JOINED = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
ERASED = datetime.datetime(2026, 11, 20, 9, 0, tzinfo=datetime.UTC)
LATER = datetime.datetime(2026, 11, 24, 9, 0, tzinfo=datetime.UTC)
ADA, BO, CY = "ada@example.com", "bo@example.com", "cy@example.com"


def join(engine: sa.Engine, *keys: str) -> None:
    with engine.begin() as connection:
        for key in keys:
            origin = ChangeOrigin(JOINED, "form")
            changes.subscribe(connection, parse_address(key), "active", origin)


def list_keys(engine: sa.Engine) -> list[str]:
    with read_transaction(engine) as connection:
        return sorted(connection.scalars(sa.select(subscriber.c.address_key)))


def list_erased(engine: sa.Engine) -> dict[str, datetime.datetime]:
    with read_transaction(engine) as connection:
        return dict(find_erased(connection, [ADA, BO, CY]))


@pytest.fixture
def older_copy(engine: sa.Engine, tmp_path: Path) -> sa.Engine:
    """A copy of before Ada and Bo were erased, and before Bo and Cy had joined."""
    join(engine, ADA)
    with read_transaction(engine) as connection:
        rows = {
            table: connection.execute(sa.select(table)).mappings().all()
            for table in (subscriber, journal)
        }
    join(engine, BO, CY)
    for key in (ADA, BO):
        erase_address(engine, key, ERASED)
    assert renew_erasures(engine, tmp_path) == 0
    with engine.begin() as connection:
        for table in (subscriber, erased, setting):
            connection.execute(sa.delete(table))
        for table, contents in rows.items():
            connection.execute(sa.insert(table), [dict(row) for row in contents])
    return engine


def test_erased_readers_are_erased_again_and_not_added_again(
    older_copy: sa.Engine, tmp_path: Path
) -> None:
    assert list_keys(older_copy) == [ADA]
    assert renew_erasures(older_copy, tmp_path) == 1
    assert list_keys(older_copy) == []
    assert list_erased(older_copy) == {ADA: ERASED, BO: ERASED}
    assert renew_erasures(older_copy, tmp_path) == 0


def test_who_has_joined_again_since_stays(older_copy: sa.Engine, tmp_path: Path) -> None:
    with older_copy.begin() as connection:
        connection.execute(sa.delete(subscriber))
        origin = ChangeOrigin(LATER, "form")
        changes.subscribe(connection, parse_address(ADA), "active", origin)
    assert renew_erasures(older_copy, tmp_path) == 0
    assert list_keys(older_copy) == [ADA]
    assert list_erased(older_copy) == {BO: ERASED}


def test_another_salt_since_the_copy_was_made(older_copy: sa.Engine, tmp_path: Path) -> None:
    join(older_copy, CY)
    erase_address(older_copy, CY, LATER)
    assert renew_erasures(older_copy, tmp_path) == 1
    assert list_keys(older_copy) == []
    assert list_erased(older_copy) == {ADA: ERASED, CY: LATER}  # Bo was never in this copy


@pytest.mark.parametrize("content", [None, "", "[]", '{"salt": 1}', "\N{NO-BREAK SPACE}"])
def test_a_missing_or_damaged_record_is_written_anew(
    older_copy: sa.Engine, tmp_path: Path, content: str | None
) -> None:
    erase_address(older_copy, ADA, LATER)
    path = record_path(older_copy, tmp_path)
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert renew_erasures(older_copy, tmp_path) == 0
    assert ADA not in path.read_text()
    join(older_copy, CY)
    assert list_keys(older_copy) == [CY]
    with older_copy.begin() as connection:
        connection.execute(sa.delete(erased))
    assert renew_erasures(older_copy, tmp_path) == 0
    assert list_erased(older_copy) == {ADA: LATER}


def test_a_record_that_cannot_be_read_is_kept(older_copy: sa.Engine, tmp_path: Path) -> None:
    path = record_path(older_copy, tmp_path)
    path.unlink()
    path.mkdir()
    erase_address(older_copy, ADA, LATER)
    assert renew_erasures(older_copy, tmp_path) == 0
    assert path.is_dir()
