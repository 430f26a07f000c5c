"""A project that version 0.1 left behind is opened, upgraded and gone on with.

By the command line and HTTP alone, and with the expectations in the fixture's folder: the names of
modules, tables and columns are this version's own business.
"""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol

import alembic.command
import alembic.config
import psycopg
import pytest
import sqlalchemy as sa
import urllib3

import newsletter

FIXTURE = Path(__file__).parent / "fixtures" / "project_0_1"
EXPECTED: dict[str, Any] = json.loads((FIXTURE / "expected.json").read_text("utf-8"))
READERS: dict[str, dict[str, Any]] = EXPECTED["readers"]
OLD_REVISION = "0002"
FINISHED, UNFINISHED, SCHEDULED = "first-boat", "reading-the-tide", "quiet-week"
SENDS = {FINISHED: "finished", UNFINISHED: "unfinished", SCHEDULED: "scheduled"}
# Batches of the unfinished send that nobody has answered for.
NOT_TAKEN, TAKEN = "4", "5"
ADDED_BY_TEMPLATES = {
    FINISHED: ("Printed on the quay, number ?", "border-left:7px solid", "No more letters"),
    UNFINISHED: ("Printed on the quay, number 2", "No more letters"),
    SCHEDULED: ("No more letters",),  # by the template `plain`
    "ropes": ("Printed on the quay",),
}
ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

Cli = Callable[..., tuple[int, str, str]]


class Accepted(Protocol):
    """A recipient whom the double of SendGrid has promised to mail."""

    @property
    def address(self) -> str: ...


class Double(Protocol):
    """The double of SendGrid."""

    key: str

    @property
    def url(self) -> str: ...

    @property
    def accepted(self) -> list[Accepted]: ...


@pytest.fixture
def folder(tmp_path: Path, vendor: Double, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the editor's folder; the working folder is in it."""
    copy = tmp_path / "harbour-notes"
    shutil.copytree(FIXTURE / "harbour-notes", copy)
    for private in ("newsletter.db", "list.backup"):
        (copy / private).chmod(0o600)
    monkeypatch.delenv("NEWSLETTER_DATABASE", raising=False)
    monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
    monkeypatch.setenv("SENDGRID_HOST", vendor.url)
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture(params=["sqlite", "postgresql"])
def both_databases(
    request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs the test on the project's own database, and on PostgreSQL with the same rows."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("new_postgres_url")
        migrate_to_old_revision(url)
        copy_rows(folder / "newsletter.db", url)
        monkeypatch.setenv("NEWSLETTER_DATABASE", url)


@pytest.mark.usefixtures("both_databases")
def test_the_database_is_upgraded_and_the_list_is_as_it_was(cli: Cli) -> None:
    upgraded = json.loads(succeeds(cli, "db", "upgrade", "--json"))
    assert upgraded["before"] == OLD_REVISION
    again = json.loads(succeeds(cli, "db", "upgrade", "--json"))
    assert again["before"] == upgraded["version"]
    assert exported(cli) == READERS
    segments = succeeds(cli, "subscribers", "segments", "--json").splitlines()
    found = {one["segment"]: one["readers"] for one in map(json.loads, segments)}
    assert found == {"regulars": 12, "bergen": 7}


def test_nobody_who_left_is_brought_back_by_an_import(folder: Path, cli: Cli) -> None:
    kept_out = [*EXPECTED["erased"], "stranger@example.com"]
    left = [address for address, reader in READERS.items() if reader["status"] != "active"]
    (folder / "again.csv").write_text("\n".join(["email", *kept_out, *left]) + "\n")
    cli("subscribers", "import", "again.csv")
    active = {address for address, one in exported(cli).items() if one["status"] == "active"}
    assert active == {address for address, one in READERS.items() if one["status"] == "active"}


def test_issues_build_with_the_projects_own_templates(folder: Path, cli: Cli) -> None:
    assert cli("check", "--all")[0] == 0
    for issue, added in ADDED_BY_TEMPLATES.items():
        succeeds(cli, "build", issue)
        (built,) = folder.glob(f"build/*-{issue}/email.html")
        html = built.read_text("utf-8")
        assert [part for part in added if part not in html] == []


@pytest.mark.usefixtures("folder")
def test_the_finished_send_is_reported_as_it_was(cli: Cli) -> None:
    again = succeeds(cli, "events", "import", "events-of-first-boat.jsonl", "--json")
    assert json.loads(again)["new"] == 0
    report = json.loads(succeeds(cli, "report", FINISHED, "--json"))
    counted = {name: report[name] for name in ("sent", "delivered", "bounced", "complaints")}
    assert counted == {"sent": 30, "delivered": 28, "bounced": 2, "complaints": 1}


@pytest.mark.usefixtures("folder")
def test_the_finished_send_mails_nobody_twice(cli: Cli, vendor: Double) -> None:
    assert cli("send", FINISHED, "--yes")[0] != 0
    assert vendor.accepted == []
    # Whom SendGrid had refused has never had it.
    succeeds(cli, "retry", FINISHED, "--yes")
    assert [one.address for one in vendor.accepted] == ["reader10@example.org"]


@pytest.mark.usefixtures("both_databases")
def test_the_unfinished_send_goes_on(cli: Cli, vendor: Double) -> None:
    send = EXPECTED["unfinished"]
    for issue, name in SENDS.items():
        assert who(cli, issue) == EXPECTED[name]["who"]
    assert status(cli, FINISHED)["state"] == "done"
    assert status(cli, UNFINISHED)["state"] == "running"

    cli("reconcile", UNFINISHED, "--events", "events-that-came-later.jsonl")
    assert {who(cli, UNFINISHED)[one] for one in send["taken_without_an_answer"]} == {"accepted"}
    succeeds(cli, "resolve", UNFINISHED, NOT_TAKEN, "--resend", "--yes")
    # Its sender was killed, and its lease is over.
    succeeds(cli, "resolve", UNFINISHED, TAKEN, "--accepted", "--yes")
    succeeds(cli, "resume", UNFINISHED)

    mailed = sorted(one.address for one in vendor.accepted)
    planned = {one for one in send["who"] if not one.startswith("erased:")}
    assert mailed == sorted(planned - {*send["provider_has"], *send["left_since"]})
    ended = status(cli, UNFINISHED)
    assert (ended["state"], ended["unknown"]) == ("done", [])
    assert ended["readers"]["accepted"] == len(send["provider_has"]) + len(mailed)


@pytest.mark.usefixtures("folder")
def test_a_scheduled_send_waits_and_can_be_cancelled(cli: Cli, vendor: Double) -> None:
    assert status(cli, SCHEDULED)["scheduled_at"].startswith("2090-01-02T08:00")
    succeeds(cli, "send", "--due")
    succeeds(cli, "cancel", SCHEDULED)
    assert status(cli, SCHEDULED)["state"] == "cancelled"
    assert vendor.accepted == []


@pytest.mark.usefixtures("folder")
def test_links_in_old_mails_and_old_pages_still_work(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = EXPECTED["links"]
    monkeypatch.delenv("SENDGRID_API_KEY")  # with it, the site would send mail
    with serving() as get:
        assert FINISHED in get("GET", "/").data.decode()
        page = get("GET", f"/issues/{FINISHED}")
        assert "The sea gives nothing back but boats." in page.data.decode()
        assert (
            get("GET", f"/issues/{FINISHED}/boat.png").data
            == (FIXTURE / "harbour-notes/issues/2026-05-24-first-boat/boat.png").read_bytes()
        )
        assert FINISHED in get("GET", "/feed.atom").data.decode()

        page = get("GET", links["unsubscribe"])
        assert page.status == 200
        assert {"The harbour master is sorry.", "Cast off"} <= set(
            re.findall(r">([^<>]+)<", page.data.decode())
        )
        page = get("GET", links["preferences"])
        assert (page.status, "Reader 3" in page.data.decode()) == (200, True)
        # The secret that they are signed with is the same; their time is over.
        for kind in ("confirm", "move"):
            assert get("GET", links[kind]).status == 410
        assert get("GET", f"{links['confirm'][:-4]}AAAA").status == 404

        assert get("POST", links["unsubscribe"], ONE_CLICK).status == 200
    readers = exported(cli)
    reader = links["reader"]
    assert readers[reader]["status"] == "unsubscribed"
    *before, last = readers[reader]["journal"]
    assert before == READERS[reader]["journal"]
    assert (last["change"], last["how"]) == ("unsubscribed", "one_click")


@pytest.mark.usefixtures("folder")
def test_an_old_backup_is_restored_over_the_newer_list(cli: Cli, vendor: Double) -> None:
    succeeds(cli, "restore", "list.backup", "--yes")
    assert Path("newsletter.db.before-restore").is_file()
    # Whoever has left since then stays away, with their journal; what was sent stays sent.
    # A pause is not among what is carried over.
    paused = "reader5@example.com"
    assert exported(cli) == READERS | {paused: READERS[paused] | {"paused_until": None}}
    for issue, name in SENDS.items():
        assert who(cli, issue) == EXPECTED[name]["who"]
    assert cli("send", FINISHED, "--yes")[0] != 0
    cli("resume", UNFINISHED)  # what is unknown stays so
    already = {*EXPECTED["unfinished"]["provider_has"], *EXPECTED["unfinished"]["left_since"]}
    mailed = [one.address for one in vendor.accepted]
    assert mailed
    assert already.isdisjoint(mailed)


def test_an_old_backup_is_restored_where_there_is_no_list(folder: Path, cli: Cli) -> None:
    (folder / "newsletter.db").unlink()
    succeeds(cli, "restore", "list.backup", "--yes")
    readers = exported(cli)
    # She was on the list when it was made, and was erased afterwards.
    assert set(readers) == {*READERS, "back@example.com"}
    assert readers["grace@example.org"]["journal"] == READERS["grace@example.org"]["journal"][:2]
    assert who(cli, FINISHED)["reader3@example.com"] == "accepted"
    assert cli("status", UNFINISHED)[0] != 0


def succeeds(cli: Cli, *words: str) -> str:
    """Run a command that exits with 0; what it printed."""
    code, out, err = cli(*words)
    assert code == 0, out + err
    return out


def exported(cli: Cli) -> dict[str, dict[str, Any]]:
    """The list with its journal; of each reader, what version 0.1 knew too."""
    lines = succeeds(cli, "subscribers", "export", "--format", "jsonl", "--journal").splitlines()
    readers = {one["email"]: one for one in map(json.loads, lines[1:])}
    known = set(READERS["reader3@example.com"])
    return {
        address: {name: value for name, value in one.items() if name in known}
        for address, one in readers.items()
    }


def who(cli: Cli, issue: str) -> dict[str, str]:
    """What became of each recipient of a send."""
    lines = succeeds(cli, "who", issue, "--json").splitlines()
    return {one["address"]: one["state"] for one in map(json.loads, lines)}


def status(cli: Cli, issue: str) -> dict[str, Any]:
    """How a send stands."""
    found: dict[str, Any] = json.loads(succeeds(cli, "status", issue, "--json"))
    return found


@contextmanager
def serving() -> Iterator[Callable[..., urllib3.BaseHTTPResponse]]:
    """The public site, in a process of its own; gives what asks it: (method, path, body)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "serve", "--port", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout
        url = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert url, "it doesn't start"
        with urllib3.PoolManager(retries=False, timeout=60) as pool:

            def ask(method: str, path: str, body: bytes | None = None) -> urllib3.BaseHTTPResponse:
                return pool.request(method, url[0] + path, body=body, headers=FORM)

            yield ask
    finally:
        process.terminate()
        process.communicate()


def migrate_to_old_revision(url: str) -> None:
    """Make the tables that version 0.1 made, by the migrations of this version."""
    (oldest,) = Path(newsletter.__file__).parent.rglob(f"{OLD_REVISION}_*.py")
    config = alembic.config.Config()
    config.set_main_option("script_location", str(oldest.parents[1]).replace("%", "%%"))
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, OLD_REVISION)
    engine.dispose()


def copy_rows(file: Path, url: str) -> None:
    """Copy a database of version 0.1 into an empty one in PostgreSQL, row by row."""
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    columns = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"
    with closing(sqlite3.connect(file)) as old, psycopg.connect(url) as new:
        old.row_factory = sqlite3.Row
        # Foreign keys are not checked: a table may come before the one that it refers to.
        new.execute("SET session_replication_role = replica")
        for (table,) in old.execute(tables).fetchall():
            if table == "alembic_version":
                continue
            types: dict[str, str] = dict(new.execute(columns, [table]).fetchall())
            names = ", ".join(f'"{name}"' for name in types)
            values = ", ".join(f"%s::{kind}" for kind in types.values())
            rows = old.execute(f"SELECT {names} FROM {table}").fetchall()  # noqa: S608 - its own names
            insert = f"INSERT INTO {table} ({names}) VALUES ({values})"  # noqa: S608 - likewise
            # As text, which each type reads.
            with new.cursor() as cursor:
                cursor.executemany(insert, [[as_text(value) for value in row] for row in rows])
            if "id" in types:
                new.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608 - likewise
                )


def as_text(value: object) -> str | None:
    """A value of SQLite's as the text of a literal."""
    return None if value is None else str(value)
