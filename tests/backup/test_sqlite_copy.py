import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.backup.sqlite_copy import (
    back_up,
    find_corruption,
    find_orphan_rows,
    open_exclusive,
    overwrite_database,
)
from newsletter.db import open_database
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


def spoil(path: Path) -> None:
    """Overwrite the second half of every page but the first few."""
    content = bytearray(path.read_bytes())
    for page in range(4 * 4096, len(content), 4096):
        content[page : page + 2048] = b"\xff" * 2048
    path.write_bytes(content)


def test_a_copy_is_one_private_file_with_everything(
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


def test_a_copy_is_of_one_moment_while_another_writes_on(
    database: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    for number in range(1100):
        write_pair(writer, number)
    steps = []

    def write_more(hundredths: int) -> None:
        steps.append(hundredths)
        write_pair(writer, 10_000 + len(steps))

    back_up(database, tmp_path / "copy", write_more)
    assert sum(steps) == 100
    assert len(steps) > 1
    found = keys(tmp_path / "copy")
    assert found == {f"{number} {which}" for number in range(1100) for which in ("first", "second")}
    assert "10001 first" in keys(database)


def test_what_is_being_written_is_not_in_the_copy(
    database: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    writer.execute("BEGIN IMMEDIATE")
    writer.execute(PAIR, ("half", ""))
    back_up(database, tmp_path / "copy")
    writer.execute("COMMIT")
    assert keys(tmp_path / "copy") == set()


def test_no_database_no_copy(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="there is no database yet"):
        back_up(tmp_path / "newsletter.db", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_database_replaces_no_good_copy(
    database: Path, writer: sqlite3.Connection, tmp_path: Path
) -> None:
    for number in range(30):
        write_pair(writer, number)
    back_up(database, tmp_path / "copy")
    good = (tmp_path / "copy").read_bytes()
    writer.execute("PRAGMA journal_mode = DELETE")
    writer.close()
    spoil(database)
    with pytest.raises(DatabaseError, match="database is damaged"):
        back_up(database, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == good
    assert {path.name for path in tmp_path.iterdir()} == {"newsletter.db", "copy"}


def test_a_row_without_its_owner_is_damage(database: Path, writer: sqlite3.Connection) -> None:
    writer.execute("INSERT INTO batch (send_id, number, size, state) VALUES (7, 1, 1, 'ready')")
    assert find_corruption(database) == []
    assert find_orphan_rows(database) == ["a row of batch belongs to a send that is gone"]
    with pytest.raises(DatabaseError, match="belongs to a send"):
        back_up(database, database.with_name("copy"))


def test_what_is_no_database_is_damage(tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("Dear diary, " * 1000)
    assert find_corruption(tmp_path / "copy") == ["file is not a database"]


def test_alone_means_that_nobody_else_has_it_open(
    database: Path, writer: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.backup.sqlite_copy.LOCK_TIMEOUT_SECONDS", 0.0)
    write_pair(writer, 1)
    back_up(database, tmp_path / "copy")
    with pytest.raises(DatabaseError, match="locked by another program"), open_exclusive(database):
        pass
    writer.close()
    with open_exclusive(database) as live, closing(connect(database)) as other:
        live.execute("DELETE FROM setting")
        with pytest.raises(sqlite3.OperationalError, match="database is locked"):
            other.execute("SELECT * FROM setting").fetchall()


def test_an_overwritten_database_is_the_other_at_once(
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
