"""A database belongs to the newsletter that first wrote to it; no other one writes to it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine, read_transaction
from newsletter.db.identity import read_owner
from newsletter.db.schema import suppression
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


def test_adoption_is_undone_with_its_transaction(database_url: str, tmp_path: Path) -> None:
    with (
        database_engine(database_url, tmp_path, "harbour-1") as engine,
        pytest.raises(ZeroDivisionError),
        engine.begin(),
    ):
        raise ZeroDivisionError
    assert owner(database_url, tmp_path) == ""
