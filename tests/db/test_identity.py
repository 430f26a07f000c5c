"""A database belongs to the newsletter that first wrote to it; no other one writes to it."""

import secrets
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import (
    database_engine,
    open_database,
    read_transaction,
    snapshot_write_transaction,
    transaction,
)
from newsletter.db.identity import read_owner
from newsletter.db.schema import setting, suppression
from newsletter.errors import DatabaseError


def write(url: str, root: Path, newsletter_id: str) -> None:
    with database_engine(url, root, newsletter_id) as engine, engine.begin() as connection:
        connection.execute(sa.delete(suppression))


def owner(url: str, root: Path, newsletter_id: str = "") -> str:
    with database_engine(url, root, newsletter_id) as engine, read_transaction(engine) as reading:
        return read_owner(reading)


def test_first_newsletter_that_writes_owns_the_database(database_url: str, tmp_path: Path) -> None:
    write(database_url, tmp_path, "")
    assert owner(database_url, tmp_path, "harbour-1") == ""  # it has only read
    write(database_url, tmp_path, "harbour-1")
    assert owner(database_url, tmp_path) == "harbour-1"
    write(database_url, tmp_path, "harbour-1")
    write(database_url, tmp_path, "")  # a project without an id


def test_another_newsletter_may_read_but_not_write(database_url: str, tmp_path: Path) -> None:
    write(database_url, tmp_path, "harbour-1")
    assert owner(database_url, tmp_path, "mountain-2") == "harbour-1"
    for _ in range(2):
        with pytest.raises(DatabaseError, match="belongs to another newsletter, with the id harb"):
            write(database_url, tmp_path, "mountain-2")
    assert owner(database_url, tmp_path) == "harbour-1"


def test_adoption_does_not_depend_on_the_first_write(database_url: str, tmp_path: Path) -> None:
    def write_and_fail() -> None:
        with (
            database_engine(database_url, tmp_path, "harbour-1") as engine,
            engine.begin() as connection,
        ):
            connection.execute(sa.insert(setting).values(key="undone", value=""))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with database_engine(database_url, tmp_path) as engine, read_transaction(engine) as reading:
        assert read_owner(reading) == "harbour-1"
        assert not reading.execute(sa.select(setting).where(setting.c.key == "undone")).all()


BeginWriting = Callable[[sa.Engine], AbstractContextManager[sa.Connection]]
WRITERS = [sa.Engine.begin, snapshot_write_transaction]


@pytest.mark.parametrize("begin", WRITERS)
def test_first_write_does_not_wait_for_the_first_of_another_process(
    postgres_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    begin: BeginWriting,
) -> None:
    """It would wait as long as freezing a send of a large list takes."""
    monkeypatch.setattr(transaction, "LOCK_TIMEOUT_SECONDS", 0.2)
    with (
        database_engine(postgres_url, tmp_path, "harbour-1") as first,
        database_engine(postgres_url, tmp_path, "harbour-1") as second,
        begin(first) as long,
    ):
        long.execute(sa.insert(setting).values(key="long", value=""))
        with begin(second) as short:
            short.execute(sa.insert(setting).values(key="short", value=""))


@pytest.mark.parametrize("begin", WRITERS)
@pytest.mark.parametrize("other_id", ["harbour-1", "mountain-2"])
def test_two_first_writes_at_once_make_one_owner(
    postgres_url: str,
    tmp_path: Path,
    begin: BeginWriting,
    other_id: str,
) -> None:
    """Another process adopts the database after this one has seen that it has no owner."""
    adopted: list[str] = []

    def write_in_another_process(*arguments: object) -> None:
        if "INSERT INTO setting" in str(arguments[2]) and not adopted:
            adopted.append(other_id)
            write(postgres_url, tmp_path, other_id)

    def write_first() -> None:
        with begin(engine) as connection:
            connection.execute(sa.delete(suppression))

    with database_engine(postgres_url, tmp_path, "harbour-1") as engine:
        sa.event.listen(engine, "before_cursor_execute", write_in_another_process)
        if other_id == "harbour-1":
            write_first()
        else:
            with pytest.raises(DatabaseError, match="another newsletter, with the id mountain-2"):
                write_first()
    assert adopted
    assert owner(postgres_url, tmp_path) == other_id


def test_processes_may_write_for_the_first_time_at_once(database_url: str, tmp_path: Path) -> None:
    open_database(database_url, tmp_path).dispose()
    code = (
        "import sys; from pathlib import Path; from newsletter.db import database_engine\n"
        f"with database_engine({database_url!r}, Path({str(tmp_path)!r}), 'harbour-1') as engine:\n"
        "    print('ready', flush=True); sys.stdin.readline()\n"
        "    with engine.begin(): pass\n"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate()[0] or process.returncode for process in processes] == [0, 0, 0]
    assert owner(database_url, tmp_path) == "harbour-1"


def test_check_takes_no_snapshot_of_the_transaction(postgres_url: str, tmp_path: Path) -> None:
    """A transaction may lock a table before its snapshot is taken."""
    for count in (1, 2):  # adopts the database; checks the owner
        with (
            database_engine(postgres_url, tmp_path, "harbour-1") as engine,
            snapshot_write_transaction(engine) as connection,
        ):
            with database_engine(postgres_url, tmp_path) as other, other.begin() as writing:
                writing.execute(sa.insert(setting).values(key=secrets.token_hex(4), value="new"))
            level = connection.scalar(sa.text("SHOW transaction_isolation"))
            query = sa.select(sa.func.count()).where(setting.c.value == "new")
            assert (level, connection.scalar(query)) == ("repeatable read", count)
