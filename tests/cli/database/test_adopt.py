"""A copy of a database is not sent from until it is adopted, whatever the command."""

import datetime
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from database_copies import CopiedPlace
from ready_to_send import READERS

from newsletter.db import database_engine
from newsletter.db.postgresql.timeline import TIMELINE_KEY
from newsletter.db.schema import setting
from newsletter.sending.rehearsal import FakeSendGrid

Cli = Callable[..., tuple[int, str, str]]

SECOND = """\
---
title: The thaw
---
The harbour office has moved to the other quay; its door is green now, and the bell still works.
"""
ADOPT = "newsletter db adopt"


@pytest.fixture
def original(
    newsletter: Cli, database_url: str, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Cli:
    """The command line in a project from which nothing was sent yet."""
    if not database_url.startswith("sqlite"):
        monkeypatch.setenv("NEWSLETTER_DATABASE", database_url)
        assert newsletter("subscribers", "import", "readers.csv")[0] == 0
    second = project_folder / "issues" / "2026-12-08-thaw"
    second.mkdir()
    (second / "post.md").write_text(SECOND)
    assert newsletter("status")[0] == 0
    return newsletter


@dataclass
class Places:
    """The original's folder and database, and those of a copy of it on another machine."""

    original: CopiedPlace
    copy_database: Callable[[sa.Engine], CopiedPlace]
    monkeypatch: pytest.MonkeyPatch
    copy: CopiedPlace | None = None

    def make_copy(self) -> None:
        with database_engine(*self.original) as engine:
            url, database_folder = self.copy_database(engine)
        folder = self.original.folder.with_name("elsewhere")
        ignored = shutil.ignore_patterns("*.db*", "backups")
        shutil.copytree(self.original.folder, folder, ignore=ignored)
        if url.startswith("sqlite"):
            shutil.copy(database_folder / "newsletter.db", folder)
        self.copy = CopiedPlace(url, folder)

    def go_to_copy(self) -> None:
        assert self.copy
        self._go(self.copy)

    def go_to_original(self) -> None:
        self._go(self.original)

    def _go(self, place: CopiedPlace) -> None:
        self.monkeypatch.chdir(place.folder)
        self.monkeypatch.setenv("NEWSLETTER_DATABASE", place.url)


@pytest.fixture
def places(
    database_url: str,
    project_folder: Path,
    copy_database: Callable[[sa.Engine], CopiedPlace],
    monkeypatch: pytest.MonkeyPatch,
) -> Places:
    return Places(CopiedPlace(database_url, project_folder), copy_database, monkeypatch)


def test_copy_is_not_sent_from_until_it_is_adopted(
    original: Cli, places: Places, fake_sendgrid: FakeSendGrid
) -> None:
    places.make_copy()
    assert original("send", "the-ice", "--yes")[0] == 0
    places.go_to_copy()
    for command in (
        ("send", "the-ice", "--yes"),
        ("send", "the-ice", "--yes", "--at", "Tue 09:00", "--local"),
        ("plan", "the-ice"),
        ("send", "--due"),
        ("send", "thaw", "--yes"),
    ):
        code, out, err = original(*command)
        assert (code, out) == (1, ""), command
        assert ADOPT in err
    assert len(fake_sendgrid.accepted) == READERS
    assert original("db", "adopt", "--yes")[0] == 0
    assert original("send", "thaw", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == 2 * READERS
    places.go_to_original()
    assert original("status", "the-ice")[2] == ""


def test_unfinished_send_is_held_and_the_copy_says_so(
    original: Cli, places: Places, fake_sendgrid: FakeSendGrid
) -> None:
    assert original("plan", "the-ice")[0] == 0
    places.make_copy()
    places.go_to_copy()
    code, _, err = original("resume", "the-ice")
    assert code == 1
    assert ADOPT in err
    code, _, err = original("resolve", "the-ice", "--resend", "--yes")
    assert code == 0
    for command in ("resume", "send", "retry"):
        code, _, err = original(command, "the-ice")
        assert code == 1
        assert ADOPT in err
    code, out, err = original("status", "--json")
    assert code == 0
    assert json.loads(out)["state"] == "paused"
    assert "this database is a copy as of " in err
    assert fake_sendgrid.accepted == []
    assert original("send", "the-ice", "--dry-run")[0] == 0
    assert original("test", "the-ice", "--to", "me@example.com")[0] == 0
    assert [email.address for email in fake_sendgrid.accepted] == ["me@example.com"]


def test_what_sendgrid_holds_for_the_original_is_not_cancelled_from_a_copy(
    original: Cli, places: Places, fake_sendgrid: FakeSendGrid
) -> None:
    time = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=5)
    hold = ("--at", time.isoformat(timespec="minutes"), "--hold-at-sendgrid")
    assert original("send", "the-ice", "--yes", *hold)[0] == 0
    places.make_copy()
    places.go_to_copy()
    code, out, err = original("cancel", "the-ice")
    assert (code, out) == (1, "")
    assert "the original would not learn" in err
    assert ADOPT in err
    assert set(fake_sendgrid.scheduled.statuses.values()) == set()
    assert json.loads(original("status", "the-ice", "--json")[1])["state"] == "done"
    assert original("db", "adopt", "--yes")[0] == 0
    assert original("cancel", "the-ice")[0] == 0
    assert set(fake_sendgrid.scheduled.statuses.values()) == {"cancel"}


def test_doctor_fails_for_a_copy_without_changing_it(original: Cli, places: Places) -> None:
    assert original("plan", "the-ice")[0] == 0
    places.make_copy()
    places.go_to_copy()
    for _ in range(2):
        code, out, _ = original("doctor")
        assert code == 1
        assert "this database is a copy as of " in out
        assert ADOPT in out
    code, out, _ = original("db", "adopt", "--yes", "--json")
    assert json.loads(out)["held"] == ["2026-12-01-the-ice"]
    assert "is a copy" not in original("doctor")[1]


def test_adopt_shows_the_copy_and_asks(original: Cli, places: Places) -> None:
    assert original("plan", "the-ice")[0] == 0
    places.make_copy()
    places.go_to_copy()
    for typed, message in (("", "cannot ask"), ("yes\n", "'yes' is not adopt; nothing was done")):
        code, out, err = original("db", "adopt", typed=typed)
        assert code == 1
        assert message in err
        assert "  as of    " in out
        assert "  held     2026-12-01-the-ice\n" in out
        assert all(len(line) <= 80 for line in out.splitlines())
    code, out, _ = original("db", "adopt", typed="adopt\n")
    assert code == 0
    assert out.endswith(
        "Adopted. Sends go out from this database from now on.\nNext: newsletter status the-ice\n"
    )
    code, out, _ = original("db", "adopt")
    assert (code, "is not a copy, or was adopted before: nothing to do." in out) == (0, True)
    data = json.loads(original("db", "adopt", "--json")[1])
    assert (data["adopted"], data["as_of"], data["held"]) == (False, None, [])


def test_copy_lacks_what_was_recorded_since_whatever_the_editor_says(
    original: Cli, places: Places
) -> None:
    assert original("plan", "the-ice")[0] == 0
    places.make_copy()
    places.go_to_copy()
    code, out, err = original("db", "adopt", "--nothing-lost", "--yes")
    assert (code, out) == (1, "")
    assert "is a copy as of " in err
    assert "this database is a copy as of " in original("status")[2]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_failover_is_adopted_by_one_command_if_nothing_is_lost(
    original: Cli, places: Places, fake_sendgrid: FakeSendGrid
) -> None:
    assert original("plan", "the-ice")[0] == 0
    with database_engine(*places.original) as engine, engine.begin() as connection:
        connection.execute(
            sa.update(setting).where(setting.c.key == TIMELINE_KEY).values(value="0000007F")
        )
    code, out, err = original("send", "the-ice", "--yes")
    assert (code, out) == (1, "")
    for words in ("has failed over to another server", "newsletter db adopt --nothing-lost"):
        assert words in " ".join(err.split())
    code, out, _ = original("doctor")
    assert (code, "has failed over to another server" in " ".join(out.split())) == (1, True)
    code, out, _ = original("db", "adopt", "--nothing-lost", typed="adopt\n")
    assert code == 0
    assert "has failed over.\n" in out
    assert "  held     2026-12-01-the-ice\n" in out
    assert original("send", "the-ice", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS


@pytest.fixture
def backed_up(original: Cli, places: Places) -> Path:
    """A backup that was made before an issue was sent; the other machine has a list of its own."""
    assert original("backup", "list.backup")[0] == 0
    places.make_copy()
    assert places.copy
    (places.copy.folder / "newsletter.db").unlink()
    assert original("send", "the-ice", "--yes")[0] == 0
    places.go_to_copy()
    return places.copy.folder / "list.backup"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("present", ["none", "new", "opened", "damaged"])
def test_backup_that_is_restored_elsewhere_is_a_copy(
    original: Cli, backed_up: Path, fake_sendgrid: FakeSendGrid, present: str
) -> None:
    database = backed_up.with_name("newsletter.db")
    if present in {"new", "opened"}:
        assert original("subscribers", "import", "readers.csv")[0] == 0
    if present == "opened":
        assert original("status")[0] == 0
    if present == "damaged":
        database.write_bytes(b"\0" * 9999)
    code, _, err = original("restore", backed_up, "--yes")
    assert code == 0
    assert ADOPT in err
    code, _, err = original("send", "the-ice", "--yes")
    assert code == 1
    assert ADOPT in err
    assert len(fake_sendgrid.accepted) == READERS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_planned_send_in_a_backup_is_held_over_a_database_without_sends(
    original: Cli, places: Places, fake_sendgrid: FakeSendGrid
) -> None:
    assert original("plan", "the-ice")[0] == 0
    assert original("backup", "list.backup")[0] == 0
    places.make_copy()
    assert places.copy
    (places.copy.folder / "newsletter.db").unlink()
    assert original("send", "the-ice", "--yes")[0] == 0
    places.go_to_copy()
    assert original("subscribers", "import", "readers.csv")[0] == 0
    assert original("status")[0] == 0  # which gives the empty database an identity
    assert original("restore", "list.backup", "--yes")[0] == 0
    assert json.loads(original("status", "the-ice", "--json")[1])["state"] == "needs_review"
    assert original("send", "the-ice", "--yes")[0] == 1
    assert len(fake_sendgrid.accepted) == READERS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("has_list", [False, True])
def test_backup_of_a_version_without_identities_is_a_copy(
    original: Cli,
    places: Places,
    has_list: bool,
) -> None:
    assert original("plan", "the-ice")[0] == 0
    with database_engine(*places.original) as engine, engine.begin() as connection:
        connection.execute(sa.delete(setting).where(setting.c.key.startswith("database_")))
    assert original("backup", "list.backup")[0] == 0
    places.make_copy()
    assert places.copy
    (places.copy.folder / "newsletter.db").unlink()
    places.go_to_copy()
    if has_list:
        assert original("subscribers", "import", "readers.csv")[0] == 0
    assert ADOPT in original("restore", "list.backup", "--yes")[2]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_restore_in_the_same_place_is_no_copy(original: Cli, fake_sendgrid: FakeSendGrid) -> None:
    """Its record of sends is carried over, with the identity that belongs to it."""
    assert original("backup", "first.backup")[0] == 0
    assert original("restore", "first.backup", "--yes")[2] == ""  # nothing was sent yet
    assert original("send", "the-ice", "--yes")[0] == 0
    assert original("plan", "thaw")[0] == 0
    code, _, err = original("restore", "first.backup", "--yes")
    assert (code, err) == (0, "")
    assert original("send", "thaw", "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == 2 * READERS


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_backups_of_another_newsletter_are_not_replaced(
    original: Cli, project_folder: Path
) -> None:
    settings = project_folder / "newsletter.yml"
    text = settings.read_text()
    settings.write_text(f"id: harbour-1\n{text}")
    assert original("send", "the-ice", "--yes")[0] == 0
    backups = sorted((project_folder / "backups").iterdir())
    assert len(backups) == 1
    settings.write_text(f"id: mountain-2\n{text}")
    code, _, err = original("send", "thaw", "--yes")
    assert code == 1
    assert "belongs to another newsletter" in err
    assert sorted((project_folder / "backups").iterdir()) == backups


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_database_of_another_newsletter_is_not_replaced_by_a_backup(
    original: Cli, project_folder: Path
) -> None:
    settings = project_folder / "newsletter.yml"
    text = settings.read_text()
    settings.write_text(f"id: harbour-1\n{text}")
    assert original("send", "the-ice", "--yes")[0] == 0
    settings.write_text(f"id: mountain-2\n{text}database: sqlite:///mountain.db\n")
    assert original("subscribers", "import", "readers.csv")[0] == 0
    assert original("backup", "mountain.backup")[0] == 0
    settings.write_text(f"id: mountain-2\n{text}")
    code, out, err = original("restore", "mountain.backup", "--yes")
    assert (code, out) == (1, "")
    assert "newsletter.db: the database belongs to another newsletter, with the id harb" in err
    settings.write_text(f"id: harbour-1\n{text}")
    assert json.loads(original("status", "the-ice", "--json")[1])["state"] == "done"
    assert not project_folder.joinpath("newsletter.db.before-restore").exists()
