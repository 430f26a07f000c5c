"""Automatic backups: made, private, and limited in number."""

import datetime
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.db import open_database
from newsletter.db.automatic_backup import (
    KEPT_COUNT,
    back_up_automatically,
    list_automatic_backups,
)
from newsletter.db.engine import sqlite_file
from newsletter.db.migrate import HEAD_REVISION
from newsletter.errors import DatabaseError

OLD_DATABASE = (
    Path(__file__).parents[1] / "fixtures" / "project_0_1" / "harbour-notes" / "newsletter.db"
)
NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    open_database("sqlite:///newsletter.db", tmp_path).dispose()
    return tmp_path / "newsletter.db"


def test_last_few_are_kept_and_other_files_are_left_alone(database: Path) -> None:
    others = [database.parent / "backups" / name for name in ("mine.backup", "newsletter-old")]
    others[0].parent.mkdir()
    for other in others:
        other.write_text("mine")
    copies = [back_up_automatically(database, NOW + number * MINUTE).path for number in range(7)]
    assert list_automatic_backups(database) == copies[-KEPT_COUNT:]
    assert copies[-1].name == "newsletter.db-20261201-090600.backup"
    assert copies[-1].stat().st_mode & 0o777 == 0o600
    assert all(other.exists() for other in others)


def test_clock_that_was_wrong_once_costs_no_later_backup(database: Path) -> None:
    wrong = [
        back_up_automatically(database, NOW.replace(year=2099) + number * MINUTE).path
        for number in range(KEPT_COUNT)
    ]
    right = [back_up_automatically(database, NOW + number * MINUTE).path for number in range(3)]
    assert list_automatic_backups(database) == [*right, *wrong[-2:]]
    right += [back_up_automatically(database, NOW + number * MINUTE).path for number in (3, 4, 5)]
    assert list_automatic_backups(database) == right[-KEPT_COUNT:]


def test_backup_that_was_just_made_is_kept_though_the_clock_was_set_back(database: Path) -> None:
    for number in range(KEPT_COUNT):
        back_up_automatically(database, NOW + number * MINUTE)
    copy = back_up_automatically(database, NOW - 60 * MINUTE).path
    assert copy.exists()
    assert len(list_automatic_backups(database)) == KEPT_COUNT


def test_databases_in_one_folder_keep_their_own_backups(tmp_path: Path) -> None:
    names = ("list.db", "list.sqlite", "list")
    for name in names:
        open_database(f"sqlite:///{name}", tmp_path).dispose()
    for number in range(KEPT_COUNT + 1):
        for name in names:
            back_up_automatically(tmp_path / name, NOW + number * MINUTE)
    for name in names:
        assert len(list_automatic_backups(tmp_path / name)) == KEPT_COUNT
    assert len(list((tmp_path / "backups").iterdir())) == len(names) * KEPT_COUNT


def test_database_with_orphan_rows_is_backed_up_and_they_are_reported(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "INSERT INTO batch (send_id, number, size, state) VALUES (7, 1, 1, 'ready')"
        )
    backup = back_up_automatically(database, NOW)
    assert backup.orphan_rows == ["a row of batch refers to a missing send"]
    with closing(sqlite3.connect(backup.path)) as connection:
        assert connection.execute("SELECT send_id FROM batch").fetchall() == [(7,)]


def test_leftovers_of_killed_programs_are_deleted_after_a_day(database: Path) -> None:
    folder = database.parent / "backups"
    folder.mkdir()
    leftovers = [
        folder / ".newsletter.db-20261130-090000.backup.ab12_x9z",
        folder / ".newsletter.db-20261130-090000.backup.ab12_x9z-journal",
        database.with_name(".newsletter.db.mark.ab12_x9z"),
        database.with_name(".newsletter.db.ab12_x9z-wal"),
    ]
    others = [
        folder / ".other.db-20261130-090000.backup.ab12_x9z",
        database.with_name(".newsletter.db.notes"),
    ]
    for path in (*leftovers, *others):
        path.touch()
    back_up_automatically(database, NOW)
    assert all(path.exists() for path in leftovers)  # another program may be writing them
    long_ago = NOW.timestamp() - 2_000 * 24 * 3600
    for path in (*leftovers, *others):
        os.utime(path, (long_ago, long_ago))
    back_up_automatically(database, NOW)
    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in others)


def test_folder_of_backups_is_private(database: Path) -> None:
    folder = back_up_automatically(database, NOW).path.parent
    assert folder.stat().st_mode & 0o777 == 0o700


def test_file_or_dangling_link_in_the_place_of_the_folder_is_reported(database: Path) -> None:
    folder = database.parent / "backups"
    folder.touch()
    with pytest.raises(DatabaseError, match=r"backups: is a file, or a link .* Move it away"):
        back_up_automatically(database, NOW)
    folder.unlink()
    folder.symlink_to("missing")
    with pytest.raises(DatabaseError, match=r"backups: is a file, or a link .* Move it away"):
        back_up_automatically(database, NOW)
    (database.parent / "missing").mkdir()
    assert back_up_automatically(database, NOW).path.exists()


def read_revision(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        named = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%_version'"
        table = connection.execute(named).fetchone()[0]
        revision: str = connection.execute(f"SELECT version_num FROM {table}").fetchone()[0]  # noqa: S608 - its own name
        return revision


def test_backup_is_made_before_an_upgrade_and_only_then(tmp_path: Path) -> None:
    database = tmp_path / "newsletter.db"
    shutil.copyfile(OLD_DATABASE, database)
    before = read_revision(database)
    assert before != HEAD_REVISION
    for _ in range(2):
        open_database("sqlite:///newsletter.db", tmp_path).dispose()
    assert read_revision(database) == HEAD_REVISION
    (backup,) = list_automatic_backups(database)
    assert read_revision(backup) == before


def test_upgrade_that_cannot_be_backed_up_is_refused(tmp_path: Path) -> None:
    database = tmp_path / "newsletter.db"
    shutil.copyfile(OLD_DATABASE, database)
    before = read_revision(database)
    (tmp_path / "backups").touch()
    with pytest.raises(DatabaseError, match="is a file"):
        open_database("sqlite:///newsletter.db", tmp_path)
    assert read_revision(database) == before


def test_upgrade_lets_others_write_while_the_backup_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = tmp_path / "newsletter.db"
    shutil.copyfile(OLD_DATABASE, database)
    written = []

    def write_and_back_up(*args: Path, **_: object) -> None:
        with closing(sqlite3.connect(database, timeout=0)) as connection, connection:
            connection.execute("CREATE TABLE other (x)")
            connection.execute("DROP TABLE other")
        written.append(args[0])

    monkeypatch.setattr("newsletter.db.engine.back_up_automatically", write_and_back_up)
    open_database("sqlite:///newsletter.db", tmp_path).dispose()
    assert written == [database]


def test_database_of_a_newer_version_is_not_backed_up(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE newsletter_version SET version_num = '9999'")
    with pytest.raises(DatabaseError, match="schema version 9999"):
        open_database("sqlite:///newsletter.db", database.parent)
    assert not (database.parent / "backups").exists()


def test_backups_are_beside_the_file_that_a_link_leads_to(database: Path) -> None:
    release = database.parent / "release"
    release.mkdir()
    (release / "newsletter.db").symlink_to(database)
    file = sqlite_file("sqlite:///newsletter.db", release)
    assert file == database


def test_file_behind_a_dangling_link_is_created_private(tmp_path: Path) -> None:
    release = tmp_path / "release"
    release.mkdir()
    (release / "newsletter.db").symlink_to("../kept.db")
    open_database("sqlite:///newsletter.db", release).dispose()
    assert (tmp_path / "kept.db").stat().st_mode & 0o777 == 0o600
