"""An erasure deletes the dry runs that mention the reader, and no others."""

import datetime
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import subscriber
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, dry_run_erasure
from newsletter.subscribers.consent.dry_run_erasure import (
    dry_run_folder,
    erase_reader,
    find_outdated_dry_runs,
)
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin

NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
ADA, BO = "Ada@example.com", "bo@example.com"


@pytest.fixture
def ids(engine: sa.Engine) -> dict[str, int]:
    with engine.begin() as connection:
        for address in (ADA, BO):
            origin = ChangeOrigin(NOW, "form", "")
            changes.subscribe(connection, parse_address(address), "active", origin)
        rows = connection.execute(sa.select(subscriber.c.address, subscriber.c.id)).all()
    return {row.address: row.id for row in rows}


def write_dry_run(build: Path, issue: str, **readers: int) -> Path:
    """Write a request to readers: the local parts of their addresses and their ids."""
    personalizations = [
        {
            "to": [{"email": f"{name}@example.com"}],
            "custom_args": {"nl_send": "dry-run", "nl_subscriber": str(id_)},
        }
        for name, id_ in readers.items()
    ]
    folder = dry_run_folder(build, issue)
    (folder / "samples").mkdir(parents=True)
    request = json.dumps({"personalizations": personalizations}, separators=(",", ":"))
    (folder / "requests.jsonl").write_text(request + "\n")
    return folder


def test_dry_run_that_mentions_the_reader_is_deleted(
    engine: sa.Engine, ids: dict[str, int], tmp_path: Path
) -> None:
    both = write_dry_run(tmp_path, "2026-12-01-both", Ada=ids[ADA], bo=ids[BO])
    other = write_dry_run(tmp_path, "2026-12-02-other", bo=ids[BO])
    erasure = erase_reader(engine, tmp_path, "ada@example.com", NOW)
    assert erasure.records is not None
    assert (erasure.deleted, erasure.unreachable) == ([both], [])
    assert both.parent.is_dir()
    assert not both.exists()
    assert (other / "requests.jsonl").exists()


def test_missing_build_folder_is_no_error(
    engine: sa.Engine, ids: dict[str, int], tmp_path: Path
) -> None:
    assert ids
    erasure = erase_reader(engine, tmp_path / "none", "ada@example.com", NOW)
    assert (erasure.deleted, erasure.unreachable) == ([], [])


def test_reader_is_found_by_id_after_a_change_of_address(
    engine: sa.Engine, ids: dict[str, int], tmp_path: Path
) -> None:
    before = write_dry_run(tmp_path, "2026-12-01-before", countess=ids[ADA])
    assert erase_reader(engine, tmp_path, "ada@example.com", NOW).deleted == [before]


@pytest.mark.parametrize("left", [".dry-run.new", ".dry-run.old"])
def test_what_a_killed_dry_run_has_left_is_deleted_too(
    engine: sa.Engine, ids: dict[str, int], tmp_path: Path, left: str
) -> None:
    assert ids
    sample = tmp_path / "2026-12-01-ice" / left / "samples" / "1.eml"
    sample.parent.mkdir(parents=True)
    sample.write_text("To: Ada Lovelace <Ada@example.com>\n")
    assert erase_reader(engine, tmp_path, "ada@example.com", NOW).deleted == [
        tmp_path / "2026-12-01-ice" / left
    ]


@pytest.mark.parametrize("block_bytes", [1, 7, 64])
def test_mention_is_found_across_the_ends_of_blocks(
    engine: sa.Engine,
    ids: dict[str, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    block_bytes: int,
) -> None:
    monkeypatch.setattr(dry_run_erasure, "_BLOCK_BYTES", block_bytes)
    by_address = write_dry_run(tmp_path, "2026-12-01-address", bo=ids[BO], Ada=0)
    by_id = write_dry_run(tmp_path, "2026-12-02-id", bo=ids[BO], other=ids[ADA])
    write_dry_run(tmp_path, "2026-12-03-neither", bo=ids[BO])
    erase_address(engine, "ada@example.com", NOW)
    with read_transaction(engine) as connection:
        outdated, _ = find_outdated_dry_runs(connection, tmp_path)
    assert outdated == [by_address, by_id]
    assert erase_reader(engine, tmp_path, "ada@example.com", NOW).deleted == [by_address]


def test_dry_run_that_cannot_be_deleted_is_reported(
    engine: sa.Engine, ids: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_dry_run(tmp_path, "2026-12-01-ice", Ada=ids[ADA])

    def refuse(path: Any) -> None:
        raise PermissionError(13, os.strerror(13), str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    erasure = erase_reader(engine, tmp_path, "ada@example.com", NOW)
    assert erasure.records is not None
    assert (erasure.deleted, erasure.unreachable) == ([], [folder])


@pytest.mark.usefixtures("ids")
def test_folder_that_cannot_be_looked_into_is_reported(engine: sa.Engine, tmp_path: Path) -> None:
    # Like a folder of another user's, it can't be read; unlike that, not even by root.
    (tmp_path / "2026-12-02-boat").symlink_to("2026-12-02-boat")
    (tmp_path / "a-file").write_text("")
    erasure = erase_reader(engine, tmp_path, "ada@example.com", NOW)
    assert erasure.deleted == []
    assert {folder.parent.name for folder in erasure.unreachable} == {"2026-12-02-boat"}


def test_nothing_is_outdated_until_somebody_is_erased(
    engine: sa.Engine, ids: dict[str, int], tmp_path: Path
) -> None:
    folder = write_dry_run(tmp_path, "2026-12-01-ice", Ada=ids[ADA], bo=ids[BO])
    with read_transaction(engine) as connection:
        assert find_outdated_dry_runs(connection, tmp_path) == ([], [])
    erase_address(engine, "bo@example.com", NOW)
    with read_transaction(engine) as connection:
        assert find_outdated_dry_runs(connection, tmp_path) == ([folder], [])
