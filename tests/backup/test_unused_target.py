"""The new file of a copy that failed is deleted only if nothing is in it."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.backup.unused_target import delete_unused_target
from newsletter.db import open_database
from newsletter.db.identity import MOVED_FROM_KEY

Change = Callable[[sqlite3.Connection], object]
SETTING = "INSERT INTO setting (key, value) VALUES (?, ?)"
READER = (
    "INSERT INTO subscriber (address, address_key, name, status, attributes, token, source, "
    "joined_at, updated_at) VALUES ('a@b.com', 'a@b.com', '', 'active', '{}', 't', '', '', '')"
)


def record_copy(*tables: str) -> Change:
    value = json.dumps({"tables": dict.fromkeys(tables, "digest")})
    return lambda connection: connection.execute(SETTING, (MOVED_FROM_KEY, value))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A new database, with all tables."""
    open_database("sqlite:///new.db", tmp_path).dispose()
    return tmp_path / "new.db"


@pytest.mark.parametrize(
    ("change", "is_deleted"),
    [
        (lambda _: None, True),
        (lambda connection: connection.execute(SETTING, ("newsletter", "id")), True),
        (lambda connection: connection.execute("DROP TABLE setting"), True),
        (record_copy(), True),
        (record_copy("subscriber"), False),
        (lambda connection: connection.execute(READER), False),
    ],
    ids=["empty", "setting", "no settings", "copy begun", "table copied", "reader"],
)
def test_only_what_holds_nothing_is_deleted(
    file: Path, change: Change, *, is_deleted: bool
) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        change(connection)
    delete_unused_target(file)
    assert file.exists() is not is_deleted
    assert [path.name for path in file.parent.glob("new.db-*")] == []


def test_file_that_others_have_open_is_left(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        delete_unused_target(file)
    assert file.exists()


def test_what_is_no_database_is_left(tmp_path: Path) -> None:
    delete_unused_target(tmp_path / "none.db")
    text = tmp_path / "text.db"
    text.write_text("no database, " * 100)
    delete_unused_target(text)
    assert text.exists()
