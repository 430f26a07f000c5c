"""Automatic backups: made, private, and limited in number."""

import datetime
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
    copies = [back_up_automatically(database, NOW + number * MINUTE) for number in range(7)]
    assert list_automatic_backups(database) == copies[-KEPT_COUNT:]
    assert copies[-1].name == "newsletter-20261201-090600.backup"
    assert copies[-1].stat().st_mode & 0o777 == 0o600
    assert all(other.exists() for other in others)


def test_folder_of_backups_is_private(database: Path) -> None:
    folder = back_up_automatically(database, NOW).parent
    assert folder.stat().st_mode & 0o777 == 0o700


def test_file_in_the_place_of_the_folder_is_reported(database: Path) -> None:
    (database.parent / "backups").touch()
    with pytest.raises(DatabaseError, match="could not create the folder: file exists"):
        back_up_automatically(database, NOW)


def read_revision(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        revision: str = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
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
    with pytest.raises(DatabaseError, match="could not create the folder"):
        open_database("sqlite:///newsletter.db", tmp_path)
    assert read_revision(database) == before
