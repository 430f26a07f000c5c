"""A project of version 0.1 is opened, upgraded and used.

Only by the command line and HTTP, with the expectations in the fixture's folder: the names of
modules, tables and columns may differ between versions.
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
# Batches of the unfinished send whose outcome is unknown.
NOT_ACCEPTED, ACCEPTED = "4", "5"
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
    """A recipient that the fake SendGrid has accepted."""

    @property
    def address(self) -> str: ...


class SentRequest(Protocol):
    """A request to the fake SendGrid."""

    body: bytes


class SendGridDouble(Protocol):
    """The fake SendGrid."""

    key: str

    @property
    def url(self) -> str: ...

    @property
    def accepted(self) -> list[Accepted]: ...

    @property
    def requests(self) -> list[SentRequest]: ...


@pytest.fixture
def folder(tmp_path: Path, fake_sendgrid: SendGridDouble, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project's folder, which becomes the working folder."""
    copy = tmp_path / "harbour-notes"
    shutil.copytree(FIXTURE / "harbour-notes", copy)
    for private in ("newsletter.db", "list.backup"):
        (copy / private).chmod(0o600)
    monkeypatch.delenv("NEWSLETTER_DATABASE", raising=False)
    monkeypatch.setenv("SENDGRID_API_KEY", fake_sendgrid.key)
    monkeypatch.setenv("SENDGRID_HOST", fake_sendgrid.url)
    monkeypatch.chdir(copy)
    return copy


@pytest.fixture(params=["sqlite", "postgresql"])
def both_databases(
    request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run the test on the project's own SQLite file, and on PostgreSQL with the same rows."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("new_postgres_url")
        migrate_to_old_revision(url)
        copy_rows(folder / "newsletter.db", url)
        monkeypatch.setenv("NEWSLETTER_DATABASE", url)


@pytest.mark.usefixtures("both_databases")
def test_upgrade_keeps_the_list(cli: Cli) -> None:
    upgraded = json.loads(run_command(cli, "db", "upgrade", "--json"))
    assert upgraded["before"] == OLD_REVISION
    again = json.loads(run_command(cli, "db", "upgrade", "--json"))
    assert again["before"] == upgraded["version"]
    assert export_list(cli) == READERS
    segments = run_command(cli, "subscribers", "segments", "--json").splitlines()
    sizes = {segment["segment"]: segment["readers"] for segment in map(json.loads, segments)}
    assert sizes == {"regulars": 12, "bergen": 7}


def test_import_reactivates_no_suppressed_subscriber(folder: Path, cli: Cli) -> None:
    suppressed = [*EXPECTED["erased"], "stranger@example.com"]
    inactive = [address for address, reader in READERS.items() if reader["status"] != "active"]
    (folder / "again.csv").write_text("\n".join(["email", *suppressed, *inactive]) + "\n")
    cli("subscribers", "import", "again.csv")
    active = {
        address for address, reader in export_list(cli).items() if reader["status"] == "active"
    }
    assert active == {
        address for address, reader in READERS.items() if reader["status"] == "active"
    }


def test_issues_build_with_the_projects_own_templates(folder: Path, cli: Cli) -> None:
    assert cli("check", "--all")[0] == 0
    for issue, added in ADDED_BY_TEMPLATES.items():
        run_command(cli, "build", issue)
        (built,) = folder.glob(f"build/*-{issue}/email.html")
        html = built.read_text("utf-8")
        assert [part for part in added if part not in html] == []


@pytest.mark.usefixtures("folder")
def test_report_of_the_finished_send_is_unchanged(cli: Cli) -> None:
    again = run_command(cli, "events", "import", "events-of-first-boat.jsonl", "--json")
    assert json.loads(again)["new"] == 0
    report = json.loads(run_command(cli, "report", FINISHED, "--json"))
    counts = {name: report[name] for name in ("sent", "delivered", "bounced", "complaints")}
    assert counts == {"sent": 30, "delivered": 28, "bounced": 2, "complaints": 1}


@pytest.mark.usefixtures("folder")
def test_finished_send_is_never_sent_again(cli: Cli, fake_sendgrid: SendGridDouble) -> None:
    assert cli("send", FINISHED, "--yes")[0] != 0
    assert fake_sendgrid.accepted == []
    # SendGrid had rejected this recipient, so that a retry is no duplicate.
    run_command(cli, "retry", FINISHED, "--yes")
    assert [recipient.address for recipient in fake_sendgrid.accepted] == ["reader10@example.org"]


@pytest.mark.usefixtures("both_databases")
@pytest.mark.parametrize("asks", [False, True])
def test_unfinished_send_is_completed(
    folder: Path, cli: Cli, fake_sendgrid: SendGridDouble, *, asks: bool
) -> None:
    send = EXPECTED["unfinished"]
    if asks:
        settings = folder / "newsletter.yml"
        text = settings.read_text()
        assert "opens: true\n  clicks: true\n" in text
        settings.write_text(
            text.replace("opens: true\n  clicks: true\n", "opens: ask\n  clicks: ask\n")
        )
    for issue, name in SENDS.items():
        assert who(cli, issue) == EXPECTED[name]["who"]
    assert status(cli, FINISHED)["state"] == "done"
    assert status(cli, UNFINISHED)["state"] == "running"

    cli("reconcile", UNFINISHED, "--events", "events-that-came-later.jsonl")
    assert {who(cli, UNFINISHED)[address] for address in send["taken_without_an_answer"]} == {
        "accepted"
    }
    run_command(cli, "resolve", UNFINISHED, NOT_ACCEPTED, "--resend", "--yes")
    # Its sender was killed, and its lease has expired.
    run_command(cli, "resolve", UNFINISHED, ACCEPTED, "--accepted", "--yes")
    run_command(cli, "resume", UNFINISHED)

    mailed = sorted(recipient.address for recipient in fake_sendgrid.accepted)
    planned = {address for address in send["who"] if not address.startswith("erased:")}
    assert mailed == sorted(planned - {*send["provider_has"], *send["left_since"]})
    ended = status(cli, UNFINISHED)
    assert (ended["state"], ended["unknown"]) == ("done", [])
    assert ended["readers"]["accepted"] == len(send["provider_has"]) + len(mailed)
    # Nobody has agreed: neither those in the remaining requests, nor those of before.
    switches = [json.loads(request.body)["tracking_settings"] for request in fake_sendgrid.requests]
    assert {each["open_tracking"]["enable"] for each in switches} == {not asks}
    agreed = json.loads(run_command(cli, "report", UNFINISHED, "--json"))["agreed"]["opens"]
    assert agreed == ({"sent": 0, "delivered": 0} if asks else None)


@pytest.mark.usefixtures("folder")
def test_scheduled_send_waits_and_can_be_cancelled(cli: Cli, fake_sendgrid: SendGridDouble) -> None:
    assert status(cli, SCHEDULED)["scheduled_at"].startswith("2090-01-02T08:00")
    run_command(cli, "send", "--due")
    run_command(cli, "cancel", SCHEDULED)
    assert status(cli, SCHEDULED)["state"] == "cancelled"
    assert fake_sendgrid.accepted == []


@pytest.mark.usefixtures("folder")
def test_links_in_old_emails_and_old_page_templates_still_work(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    links = EXPECTED["links"]
    monkeypatch.delenv("SENDGRID_API_KEY")  # with it, the site would send emails
    with serve_site() as get:
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
        # They are signed with the same secret, but have expired.
        for kind in ("confirm", "move"):
            assert get("GET", links[kind]).status == 410
        assert get("GET", f"{links['confirm'][:-4]}AAAA").status == 404

        assert get("POST", links["unsubscribe"], ONE_CLICK).status == 200
    readers = export_list(cli)
    reader = links["reader"]
    assert readers[reader]["status"] == "unsubscribed"
    *previous, latest = readers[reader]["journal"]
    assert previous == READERS[reader]["journal"]
    assert (latest["change"], latest["how"]) == ("unsubscribed", "one_click")


@pytest.mark.usefixtures("folder")
def test_old_backup_is_restored_over_the_newer_list(
    cli: Cli, fake_sendgrid: SendGridDouble
) -> None:
    run_command(cli, "restore", "list.backup", "--yes")
    assert Path("newsletter.db.before-restore").is_file()
    # Unsubscribes since the backup are carried over with their journal, and so are the records of
    # sends; pauses are not.
    paused = "reader5@example.com"
    assert export_list(cli) == READERS | {paused: READERS[paused] | {"paused_until": None}}
    for issue, name in SENDS.items():
        assert who(cli, issue) == EXPECTED[name]["who"]
    assert cli("send", FINISHED, "--yes")[0] != 0
    cli("resume", UNFINISHED)  # unknown batches stay unknown
    excluded = {*EXPECTED["unfinished"]["provider_has"], *EXPECTED["unfinished"]["left_since"]}
    mailed = [recipient.address for recipient in fake_sendgrid.accepted]
    assert mailed
    assert excluded.isdisjoint(mailed)


def test_old_backup_is_restored_without_an_existing_list(folder: Path, cli: Cli) -> None:
    (folder / "newsletter.db").unlink()
    run_command(cli, "restore", "list.backup", "--yes")
    readers = export_list(cli)
    # This subscriber was on the list when the backup was made, and was erased afterwards.
    assert set(readers) == {*READERS, "back@example.com"}
    assert readers["grace@example.org"]["journal"] == READERS["grace@example.org"]["journal"][:2]
    assert who(cli, FINISHED)["reader3@example.com"] == "accepted"
    assert cli("status", UNFINISHED)[0] != 0


def run_command(cli: Cli, *args: str) -> str:
    """Run a command that must exit with 0; return what it printed."""
    code, out, err = cli(*args)
    assert code == 0, out + err
    return out


def export_list(cli: Cli) -> dict[str, dict[str, Any]]:
    """The list with its journal; of each subscriber, only the fields that version 0.1 had."""
    lines = run_command(cli, "subscribers", "export", "--format", "jsonl", "--journal").splitlines()
    readers = {reader["email"]: reader for reader in map(json.loads, lines[1:])}
    known = set(READERS["reader3@example.com"])
    return {
        address: {name: value for name, value in reader.items() if name in known}
        for address, reader in readers.items()
    }


def who(cli: Cli, issue: str) -> dict[str, str]:
    """The state of each recipient of a send: address -> state."""
    lines = run_command(cli, "who", issue, "--json").splitlines()
    return {recipient["address"]: recipient["state"] for recipient in map(json.loads, lines)}


def status(cli: Cli, issue: str) -> dict[str, Any]:
    """The status of a send."""
    send_status: dict[str, Any] = json.loads(run_command(cli, "status", issue, "--json"))
    return send_status


@contextmanager
def serve_site() -> Iterator[Callable[..., urllib3.BaseHTTPResponse]]:
    """Serve the public site in a process of its own; yield a function that requests a path."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout
        url = re.search(r"http://[\d.:]+", process.stdout.readline())
        assert url, "the server did not start"
        with urllib3.PoolManager(retries=False, timeout=60) as pool:

            def request(
                method: str, path: str, body: bytes | None = None
            ) -> urllib3.BaseHTTPResponse:
                return pool.request(method, url[0] + path, body=body, headers=FORM)

            yield request
    finally:
        process.terminate()
        process.communicate()


def migrate_to_old_revision(url: str) -> None:
    """Create the tables of version 0.1 with this version's migrations."""
    (oldest,) = Path(newsletter.__file__).parent.rglob(f"{OLD_REVISION}_*.py")
    config = alembic.config.Config()
    config.set_main_option("script_location", str(oldest.parents[1]).replace("%", "%%"))
    engine = sa.create_engine(sa.make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, OLD_REVISION)
        for statement in (
            "ALTER TABLE newsletter_version RENAME TO alembic_version",
            "ALTER INDEX newsletter_version_pkc RENAME TO alembic_version_pkc",
        ):
            connection.exec_driver_sql(statement)
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
            # As text, which every PostgreSQL type can parse.
            with new.cursor() as cursor:
                cursor.executemany(insert, [[as_text(value) for value in row] for row in rows])
            if "id" in types:
                new.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"  # noqa: S608 - likewise
                )


def as_text(value: object) -> str | None:
    """Return a SQLite value as the text of a PostgreSQL literal."""
    return None if value is None else str(value)
