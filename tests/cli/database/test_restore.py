import datetime
import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin

THEN = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
NOW = datetime.datetime(2026, 11, 24, 9, 5, tzinfo=datetime.UTC)

Cli = Callable[..., tuple[int, str, str]]


def subscribe(folder: Path, name: str, at: datetime.datetime) -> None:
    with database_engine("sqlite:///newsletter.db", folder) as engine, engine.begin() as connection:
        address = parse_address(f"{name}@example.com")
        changes.subscribe(connection, address, "active", ChangeOrigin(at, "form"))


def unsubscribe(folder: Path, name: str) -> None:
    with database_engine("sqlite:///newsletter.db", folder) as engine, engine.begin() as connection:
        changes.unsubscribe(connection, f"{name}@example.com", ChangeOrigin(NOW, "one_click"))


def active_names(folder: Path) -> set[str]:
    query = "SELECT address FROM subscriber WHERE status = 'active'"
    with closing(sqlite3.connect(folder / "newsletter.db")) as connection:
        return {address.partition("@")[0] for (address,) in connection.execute(query)}


@pytest.fixture
def backed_up(project_folder: Path, cli: Cli) -> Path:
    """Return a project with a backup of two readers; since then one left and one joined."""
    for name in ("ada", "bo"):
        subscribe(project_folder, name, THEN)
    assert cli("backup", "list.backup")[0] == 0
    unsubscribe(project_folder, "bo")
    subscribe(project_folder, "cy", NOW)
    return project_folder


def test_restore_shows_comparison_asks_and_reports_result(cli: Cli, backed_up: Path) -> None:
    code, out, err = cli("restore", "list.backup", typed="2\n")
    assert code == 0
    assert out.splitlines() == [
        "list.backup would replace newsletter.db.",
        "  backup  2 active; 0 sends; last change 1 Nov 2026 09:00",
        "  now     2 active, 1 unsubscribed; 0 sends; last change 24 Nov 2026 09:05",
        "  gone    1 reader not in the backup",
        "Restored newsletter.db from list.backup.",
        "  left since  1 now unsubscribed",
        "  kept        newsletter.db.before-restore, the database as it was",
        "Next: newsletter subscribers stats",
    ]
    assert "Type 2 to restore" in err
    assert active_names(backed_up) == {"ada"}


def test_restore_as_json_asks_on_standard_error(cli: Cli, backed_up: Path) -> None:
    code, out, err = cli("restore", "list.backup", "--json", typed="2\n")
    data = json.loads(out)
    assert (code, "would replace newsletter.db" in err) == (0, True)
    assert data["readers"] == 2
    assert data["carried_over"]["suppressed"] == {"unsubscribed": 1}
    assert data["kept"] == str(backed_up / "newsletter.db.before-restore")


@pytest.mark.parametrize("typed", ["", "3\n", "yes\n"])
def test_restore_without_correct_count_changes_nothing(
    cli: Cli, backed_up: Path, typed: str
) -> None:
    code, _, err = cli("restore", "list.backup", typed=typed)
    assert code == 1
    assert "newsletter: " in err
    assert active_names(backed_up) == {"ada", "cy"}


def test_restore_without_present_database_warns_about_later_changes(
    cli: Cli, backed_up: Path
) -> None:
    (backed_up / "newsletter.db").unlink()
    code, out, err = cli("restore", "list.backup", "--yes")
    assert code == 0
    assert "now" not in out.split()
    assert "readers who unsubscribed after the backup was made would be mailed again" in err
    assert "newsletter subscribers sync --since" in err
    assert active_names(backed_up) == {"ada", "bo"}


def test_restore_over_damaged_database_warns(cli: Cli, backed_up: Path) -> None:
    (backed_up / "newsletter.db").write_bytes(b"\0" * 9999)
    code, out, err = cli("restore", "list.backup", "--yes")
    assert code == 0
    assert "  now     damaged: file is not a database" in out
    assert "Nothing could be carried over" in err


def test_restore_rejects_files_that_are_not_backups(cli: Cli, backed_up: Path) -> None:
    (backed_up / "readers.csv").write_text("email\n" * 200)
    code, _, err = cli("restore", "readers.csv", "--yes")
    assert code == 1
    assert err.startswith("newsletter: readers.csv: the file is damaged or is not a backup")
    assert "this is the database itself" in cli("restore", "newsletter.db", "--yes")[2]
    assert cli("restore", "nowhere")[0] == 2


@pytest.mark.usefixtures("backed_up")
def test_postgresql_restore_refers_to_pg_restore_without_password(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEWSLETTER_DATABASE", "postgresql://ada:secret@db/notes")
    code, _, err = cli("restore", "list.backup")
    assert code == 1
    assert "newsletter subscribers sync, so that readers who unsubscribed" in err
    assert "a table send_recipient_… depends on another" in " ".join(err.split())
    assert err.endswith(
        "pg_restore --dbname=postgresql://ada@db/notes --clean --if-exists --no-owner "
        "--single-transaction -- list.backup\n"
    )


def test_gitignore_covers_files_of_backup_and_restore(cli: Cli, backed_up: Path) -> None:
    cli("init", "notes", "--name", "Notes")
    cli("restore", "list.backup", "--yes")
    kept = ["newsletter.db.before-restore", "list.backup", ".newsletter.db.abc123", "newsletter.db"]
    assert (backed_up / kept[0]).exists()
    subprocess.run(["git", "init", "-q", "notes"], check=True)
    run = subprocess.run(
        ["git", "-C", "notes", "check-ignore", *kept], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == kept


def test_restore_reports_what_was_carried_over(cli: Cli, backed_up: Path) -> None:
    unsubscribe(backed_up, "cy")
    with database_engine("sqlite:///newsletter.db", backed_up) as engine:
        erase_address(engine, "ada@example.com", NOW)
        with engine.begin() as connection:
            connection.execute(sa.insert(send).values(
                issue="2026-11-20-ice", state="done", content_sha="", subject="Ice",
                frozen_at=NOW, total=0, excluded={},
            ))  # fmt: skip
    out = cli("restore", "list.backup", "--yes")[1].splitlines()
    assert out[-4:] == [
        "  left since  1 now unsubscribed, 1 erased, 1 not in the list and kept out of it",
        "  sends kept  2026-11-20-ice",
        "  kept        newsletter.db.before-restore, the database as it was",
        "Next: newsletter subscribers stats",
    ]
    assert active_names(backed_up) == set()


def test_older_file_put_back_by_hand_brings_no_erased_reader_back(
    cli: Cli, project_folder: Path
) -> None:
    for name in ("ada", "bo"):
        subscribe(project_folder, name, THEN)
    assert cli("backup", "list.backup")[0] == 0
    assert cli("subscribers", "erase", "ada@example.com", "--yes")[0] == 0
    for suffix in ("-wal", "-shm"):
        (project_folder / f"newsletter.db{suffix}").unlink(missing_ok=True)
    (project_folder / "list.backup").replace(project_folder / "newsletter.db")
    code, out, err = cli("subscribers", "list")
    assert (code, "bo@example.com" in out, "ada@example.com" in out) == (0, True, False)
    assert "brought back 1 reader who had asked to be erased: they were erased again" in err
    assert cli("subscribers", "list")[2] == ""
