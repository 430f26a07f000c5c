import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.db import open_database
from newsletter.db.sqlite_copy import (
    back_up,
    find_corruption,
    find_orphan_rows,
    open_exclusive,
    overwrite_database,
)
from newsletter.errors import DatabaseError

PAIR = "INSERT INTO setting VALUES (?, ?)"


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0.1, isolation_level=None)


def write_pair(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(PAIR, (f"{number} first", "x" * 4000))
    connection.execute(PAIR, (f"{number} second", "x" * 4000))
    connection.execute("COMMIT")


def keys(path: Path) -> set[str]:
    with closing(connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT key FROM setting")}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    open_database("sqlite:///newsletter.db", tmp_path).dispose()
    return tmp_path / "newsletter.db"


@pytest.fixture
def writer(database: Path) -> Iterator[sqlite3.Connection]:
    with closing(connect(database)) as connection:
        yield connection


def corrupt_pages(path: Path) -> None:
    """Overwrite the second half of every page but the first few."""
    content = bytearray(path.read_bytes())
    for page in range(4 * 4096, len(content), 4096):
        content[page : page + 2048] = b"\xff" * 2048
    path.write_bytes(content)


def test_copy_is_one_private_file_with_all_rows(
    database: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    write_pair(writer, 1)
    copy = tmp_path / "copies" / "list.backup"
    copy.parent.mkdir()
    back_up(database, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert list(copy.parent.iterdir()) == [copy]
    assert find_corruption(copy) == []
    assert keys(copy) == {"1 first", "1 second"}
    assert list(copy.parent.iterdir()) == [copy]


def test_copy_is_a_snapshot_despite_concurrent_writes(
    database: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    for number in range(1100):
        write_pair(writer, number)
    steps = []

    def write_more(percent: int) -> None:
        steps.append(percent)
        write_pair(writer, 10_000 + len(steps))

    back_up(database, tmp_path / "copy", write_more)
    assert sum(steps) == 100
    assert len(steps) > 1
    copied = keys(tmp_path / "copy")
    assert copied == {
        f"{number} {ordinal}" for number in range(1100) for ordinal in ("first", "second")
    }
    assert "10001 first" in keys(database)


def test_uncommitted_rows_are_not_copied(
    database: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    writer.execute("BEGIN IMMEDIATE")
    writer.execute(PAIR, ("half", ""))
    back_up(database, tmp_path / "copy")
    writer.execute("COMMIT")
    assert keys(tmp_path / "copy") == set()


def test_missing_database_leaves_no_copy(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="the database does not exist yet"):
        back_up(tmp_path / "newsletter.db", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_backup_of_a_damaged_database_keeps_the_previous_copy(
    database: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    for number in range(30):
        write_pair(writer, number)
    back_up(database, tmp_path / "copy")
    previous = (tmp_path / "copy").read_bytes()
    writer.execute("PRAGMA journal_mode = DELETE")
    writer.close()
    corrupt_pages(database)
    with pytest.raises(DatabaseError, match="database is damaged"):
        back_up(database, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == previous
    assert {path.name for path in tmp_path.iterdir()} == {"newsletter.db", "copy"}


def test_row_with_a_missing_parent_is_no_damage(database: Path, writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO batch (send_id, number, size, state) VALUES (7, 1, 1, 'ready')")
    assert find_corruption(database) == []
    assert find_orphan_rows(database) == ["a row of batch refers to a missing send"]
    orphan_rows = back_up(database, database.with_name("copy"))
    assert orphan_rows == ["a row of batch refers to a missing send"]
    assert find_orphan_rows(database.with_name("copy")) == orphan_rows


def test_file_that_is_not_a_database_counts_as_damage(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("Dear diary, " * 1000)
    assert find_corruption(tmp_path / "copy") == ["file is not a database"]


def test_open_exclusive_locks_all_other_connections_out(
    database: Path, writer: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.db.sqlite_copy.LOCK_TIMEOUT_SECONDS", 0.0)
    write_pair(writer, 1)
    back_up(database, tmp_path / "copy")
    with pytest.raises(DatabaseError, match="locked by another program"), open_exclusive(database):
        pass
    writer.close()
    with open_exclusive(database) as live, closing(connect(database)) as other:
        live.execute("DELETE FROM setting")
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            other.execute("SELECT * FROM setting").fetchall()


def test_overwrite_replaces_the_content_in_one_step(
    database: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    write_pair(writer, 1)
    back_up(database, tmp_path / "copy")
    write_pair(writer, 2)
    writer.close()
    with open_exclusive(database) as live, closing(connect(database)) as waiting:
        overwrite_database(live, tmp_path / "copy")
        with pytest.raises(sqlite3.OperationalError):
            waiting.execute("SELECT * FROM setting").fetchall()
    assert keys(database) == {"1 first", "1 second"}
    assert find_corruption(database) == []
