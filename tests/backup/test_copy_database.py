"""Copies between SQLite and PostgreSQL: the same content, whatever happens on the way."""

import datetime
import itertools
import re
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from forked_command import ForkedCommand
from postgres_server import Server

from newsletter.backup.copy_database import DatabasePlace, copy_database
from newsletter.backup.copy_target import COPIED_TABLES, CopyTarget
from newsletter.backup.retired_database import reinstate
from newsletter.db import open_database, read_transaction
from newsletter.db.schema import (
    attempt,
    batch,
    erased,
    event,
    journal,
    metadata,
    send,
    setting,
    subscriber,
    worker,
)
from newsletter.db.stored_settings import read_setting, write_setting
from newsletter.errors import DatabaseError, NewsletterError, NothingToDoError, SendRefusedError

ID = "harbour-7f3a"
NOW = datetime.datetime(2026, 11, 30, 8, 15, 0, 5, tzinfo=datetime.UTC)
EARLIER = datetime.datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=datetime.UTC)
ODD_TEXT = "Zoë 🦜👩‍👩‍👧 \u202eabc\t\r\n\\N \\. \x01\x7f \ufeff 'a' \"b\" ﷽ e\u0301 \U0010ffff"
ODD_JSON = {
    "ü\n": [ODD_TEXT, None, True, False, 0, -0.0, 1.0, 0.1, 1e-7, 1e16, 2**63, 0.000123, 10**400],
    "b": {"a": {}, "": []},
    "a": "\\u0000 is text here",
}
TEMPLATE = "place_template"
NUMBERS = itertools.count(1)


@dataclass
class Places:
    """Databases of a test, closed behind it."""

    folder: Path
    server: Server
    migrated_file: Path
    cleanup: ExitStack

    def new(self, kind: str) -> DatabasePlace:
        """Return a new database at the newest schema."""
        if kind == "sqlite":
            file = self.folder / f"place-{next(NUMBERS)}.db"
            shutil.copy(self.migrated_file, file)
            return self.open(f"sqlite:///{file.name}")
        name = f"place_{next(NUMBERS)}"
        self.server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.open(self.server.url(name))

    def open(self, url: str) -> DatabasePlace:
        engine = open_database(url, self.folder, is_copied=True)
        self.cleanup.callback(engine.dispose)
        return DatabasePlace(engine, url.partition("?")[0])

    def file(self, place: DatabasePlace) -> Path:
        return self.folder / place.url.removeprefix("sqlite:///")


@pytest.fixture(scope="session")
def server_with_template(postgres_server: Server) -> Server:
    """The server, with an empty database at the newest schema: to copy it takes less time."""
    postgres_server.execute(f"CREATE DATABASE {TEMPLATE}")
    open_database(postgres_server.url(TEMPLATE), Path()).dispose()
    return postgres_server


@pytest.fixture
def places(tmp_path: Path, server_with_template: Server, migrated_file: Path) -> Iterator[Places]:
    with ExitStack() as cleanup:
        yield Places(tmp_path, server_with_template, migrated_file, cleanup)


def fill(place: DatabasePlace) -> None:
    """Insert rows into every table, with all that values can be."""
    people = [
        {"id": number, "address": f"Zoë.{number}@bücher.example", "status": "active",
         "address_key": f"zoë.{number}@bücher.example", "name": ODD_TEXT if number % 2 else "",
         "attributes": ODD_JSON if number == 3 else {}, "token": f"token-{number}",
         "joined_at": EARLIER, "updated_at": NOW, "opens_consent": (None, True, False)[number % 3],
         "confirmed_at": NOW if number % 2 else None}
        for number in range(1, 10)
    ]  # fmt: skip
    issue = {"state": "done", "content_sha": "", "subject": ODD_TEXT, "frozen_at": NOW,
             "total": 9, "excluded": ODD_JSON}  # fmt: skip
    batches: list[dict[str, Any]] = [
        {"send_id": 1, "parent_id": None, "number": 1, "size": 9, "state": "split"},
        {"send_id": 1, "parent_id": 1, "number": 2, "size": 9, "state": "accepted"},
    ]
    rows: dict[str, list[dict[str, Any]]] = {
        "attribute": [{"name": "ü\n", "type": "text"}],
        "erased": [{"address_hash": "f00", "at": EARLIER}],
        "event": [
            {"sg_event_id": key, "type": "open", "at": NOW, "is_bot": bool(number), "raw": ODD_JSON}
            for number, key in enumerate(["b", "A", "ä", "Z", "_", "-1", "🦜", "\uffff"])
        ],
        "provider_pause": [{"id": 1, "paused_until": NOW}],
        "rate_bucket": [{"id": 1, "used": 3, "latest": NOW}],
        "worker": [
            {
                "id": 4,
                "name": "mail1:4211",
                "version": "0.1.0",
                "concurrency": 16,
                "does_periodic_jobs": True,
                "started_at": NOW,
                "seen_at": NOW,
                "requests": 3,
                "recipients": 2500,
                "request_seconds": 0.1 + 0.2,
            }
        ],
        "rate_limit": [{"key": "k", "hits": 3, "expires": 1_796_000_000.123_456_7}],
        "refused_signup": [{"month": "2026-11", "reason": "bot", "signups": 4}],
        "send": [
            {"id": 1, "issue": "2026-11-24-tide", "parent_id": None, **issue},
            {"id": 2, "issue": "2026-11-24-tide.catch-up-1", "parent_id": 1, **issue},
        ],
        "setting": [{"key": "erasure_salt", "value": "5a17"}, {"key": "Ü", "value": ODD_TEXT}],
        "subscriber": people,
        "suppression": [{"address_key": "a@b.example", "reason": "bounce", "since": NOW,
                         "source": "sync"}],
        "transactional_email": [
            {"id": 7, "kind": "welcome", "address": "a@b.example", "address_key": "a@b.example",
             "window": "", "data": ODD_JSON, "created_at": NOW}
        ],
        "unreadable_event": [
            {"id": 9, "received_at": NOW, "reason": ODD_TEXT, "source": "webhook",
             "body": bytes(range(256)), "length": 256, "sha256": "00"}
        ],
        "unsubscribe_reason": [{"month": "2026-11", "reason": "", "subscribers": 1}],
        "address_change": [{"subscriber_id": 1, "address": "n@b.example",
                            "address_key": "n@b.example", "requested_at": NOW}],
        "batch": batches,
        "journal": [
            {"subscriber_id": person["id"], "seq": seq, "at": NOW, "change": "confirmed",
             "status": "active", "method": "form", "wording": ODD_TEXT}
            for person in people for seq in (1, 2)
        ],
        "send_content": [
            {"send_id": 1, "subject": "", "preheader": ODD_TEXT, "html": ODD_TEXT * 2_000,
             "text": "", "sender": ["a", "b"], "reply_to": [], "headers": [], "merge_tags": [],
             "language": "nn", "view_online_url": ""}
        ],
        "subscriber_tag": [{"subscriber_id": 2, "tag": tag} for tag in ("ø", "O", "o")],
        "attempt": [{"batch_id": 2, "number": 1, "body_sha": "", "started_at": NOW,
                     "outcome": None}],
        "send_recipient": [
            {"send_id": 1, "subscriber_id": number, "address_key": f"{number}", "batch_id": 2,
             "root_id": 1}
            for number in range(1, 13)  # some are of subscribers who were erased
        ],
    }  # fmt: skip
    assert rows.keys() == metadata.tables.keys()
    with place.engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.insert(table), rows[table.name])
        write_setting(connection, "newsletter_id", ID)
        write_setting(connection, "heartbeat.serve", "here")


def dump(place: DatabasePlace) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of what is copied, in one order."""
    with read_transaction(place.engine) as connection:
        return {
            table.name: sorted(
                (
                    tuple(row)
                    for row in connection.execute(sa.select(table))
                    if not (table is setting and re.match("database_|heartbeat", row.key))
                ),
                key=lambda row: [str(value) for value in row[: max(2, len(table.primary_key))]],
            )
            for table in COPIED_TABLES
        }


def copy(source: DatabasePlace, target: DatabasePlace, stop_after: int | None = None) -> None:
    """Copy a database; stop once so many rows were read."""
    read = 0

    def advance(rows: int) -> None:
        nonlocal read
        read += rows
        if stop_after is not None and read > stop_after:
            raise KeyboardInterrupt

    copy_database(source, target, ID, NOW, advance)


def erase_newest(place: DatabasePlace) -> None:
    with place.engine.begin() as connection:
        connection.execute(sa.delete(subscriber).where(subscriber.c.id == 9))


def insert_subscriber(place: DatabasePlace) -> int:
    person = {"address": "n", "address_key": "n", "status": "active", "attributes": {},
              "token": "n", "joined_at": NOW, "updated_at": NOW}  # fmt: skip
    with place.engine.begin() as connection:
        row = connection.execute(sa.insert(subscriber).values(person).returning(subscriber.c.id))
        return int(row.scalar_one())


def test_round_trip_leaves_everything_as_it_was(places: Places) -> None:
    first = places.new("sqlite")
    fill(first)
    erase_newest(first)
    expected = dump(first)
    kinds = ("sqlite", "postgresql", "postgresql", "sqlite")
    visited = [first]
    for kind in kinds:
        visited.append(places.new(kind))
        copy(visited[-2], visited[-1])
        assert dump(visited[-1]) == expected
        assert dump(visited[-2]) == expected  # it can still be read
        with pytest.raises(NothingToDoError):
            copy(visited[-2], visited[-1])
    last = visited[-1]
    with read_transaction(last.engine) as connection:
        assert read_setting(connection, "heartbeat.serve") is None
        assert connection.execute(sa.select(worker)).all() == []
    assert insert_subscriber(last) == 10  # not the id of the one who was erased
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), last.engine.begin() as writing:
        writing.execute(sa.update(journal).values(wording=""))
    assert stat.S_IMODE(places.file(last).stat().st_mode) == 0o600
    check = sqlite3.connect(places.file(last))
    assert check.execute("PRAGMA foreign_key_check").fetchall() == []
    check.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_can_be_written_to_a_retired_database(places: Places, kind: str) -> None:
    source = places.new(kind)
    fill(source)
    copy(source, places.new("sqlite"))
    for table in metadata.sorted_tables:
        column = next(iter(table.columns))
        for statement in (
            sa.delete(table),
            sa.update(table).values({column.name: column}),
            sa.insert(table).from_select(table.columns.keys(), sa.select(table).limit(1)),
        ):
            # By a program that had it open before.
            with pytest.raises(DatabaseError, match="is retired"), source.engine.begin() as writing:
                writing.execute(statement)
    with source.engine.begin() as connection:
        reinstate(connection)
    erase_newest(source)
    with pytest.raises(SendRefusedError, match="is itself a copy, which was not adopted"):
        copy(source, places.new("sqlite"))


@pytest.mark.parametrize(
    ("source_kind", "target_kind"), [("sqlite", "postgresql"), ("postgresql", "sqlite")]
)
def test_stopped_copy_is_continued(places: Places, source_kind: str, target_kind: str) -> None:
    source, target = places.new(source_kind), places.new(target_kind)
    fill(source)
    for stop_after in (0, 20, 50, 90, 150):
        with pytest.raises(KeyboardInterrupt):
            copy(source, target, stop_after)
        with pytest.raises(DatabaseError, match=r"of .* into this database is not finished"):
            open_database(target.engine.url.render_as_string(), places.folder)
        insert_subscriber_line(source, stop_after)
    expected = dump(source)
    copy(source, target)
    assert dump(target) == expected
    open_database(target.engine.url.render_as_string(), places.folder).dispose()


def insert_subscriber_line(place: DatabasePlace, number: int) -> None:
    """Change in turn something of the first tables, the journal, and what is copied late."""
    line = {"subscriber_id": 3, "seq": 10 + number, "at": NOW, "change": "imported",
            "status": "active", "method": "cli"}  # fmt: skip
    with place.engine.begin() as connection:
        connection.execute(sa.insert(journal).values(line))
        if number == 20:
            connection.execute(sa.delete(event).where(event.c.sg_event_id == "A"))
        if number == 90:
            connection.execute(sa.update(subscriber).values(name=f"{number}"))


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nobody_writes_to_the_source_meanwhile(places: Places, kind: str) -> None:
    source, target = places.new(kind), places.new("sqlite")
    fill(source)
    raised = list[str]()

    def write(_: int) -> None:
        other = sa.create_engine(source.engine.url, poolclass=sa.NullPool)
        with other.connect() as connection:
            wait = "PRAGMA busy_timeout = 0" if kind == "sqlite" else "SET lock_timeout = 1"
            connection.exec_driver_sql(wait)
            with pytest.raises(sa.exc.OperationalError) as refused:
                connection.exec_driver_sql("DELETE FROM event")
        raised.append(str(refused.value))

    copy_database(source, target, ID, NOW, write)
    assert raised
    assert all("lock" in text for text in raised)


def test_table_that_is_not_the_same_afterwards_is_an_error(places: Places) -> None:
    source, target = places.new("sqlite"), places.new("sqlite")
    fill(source)
    change = "UPDATE subscriber SET name = 'x' WHERE id = NEW.id"
    with target.engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TRIGGER odd AFTER INSERT ON subscriber BEGIN {change}; END"
        )
    with pytest.raises(DatabaseError, match="the table subscriber is not the same"):
        copy(source, target)
    with target.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER odd")
    copy(source, target)
    assert dump(target) == dump(source)


def test_target_to_which_another_program_writes_is_not_completed(places: Places) -> None:
    source, target = places.new("sqlite"), places.new("postgresql")
    fill(source)
    insert = sa.insert(erased).from_select(
        ["address_hash", "at"],
        # Once, when the table is copied.
        sa.select(sa.literal("odd"), erased.c.at).where(
            sa.exists().where(attempt.c.number == 1),
            ~sa.exists().where(erased.c.address_hash == "odd"),
        ),
    )

    def write(_: int) -> None:
        with target.engine.begin() as connection:
            connection.execute(insert)

    with pytest.raises(DatabaseError, match="the table erased is not the same"):
        copy_database(source, target, ID, NOW, write)
    copy(source, target)
    assert dump(target) == dump(source)


def test_copy_that_ends_after_the_source_was_retired_is_completed(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places.new("sqlite"), places.new("postgresql")
    fill(source)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(CopyTarget, "complete", fail)
        copy(source, target)
    with pytest.raises(DatabaseError, match="was copied to"):  # and may not go elsewhere
        copy(source, places.new("sqlite"))
    copy(source, target)
    assert dump(target) == dump(source)


def test_killed_copy_is_continued(
    places: Places, forked_command: type[ForkedCommand], project_folder: Path
) -> None:
    source, target = places.new("sqlite"), places.new("postgresql")
    fill(source)
    expected = dump(source)
    file, name = places.file(source), str(target.engine.url.database)
    args = ["db", "copy", f"sqlite:///{file}", places.server.url(name), "--yes"]
    with target.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE journal IN SHARE MODE")
        child = forked_command(args, project_folder, {}, nohup=False)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with places.server.connected("postgres") as observer:
            while not observer.exec_driver_sql(waiting).scalar() and child.returncode is None:
                pass
        # Nobody writes meanwhile.
        with (
            sqlite3.connect(file, timeout=0) as writer,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            writer.execute("DELETE FROM event")
        writer.close()
        child.kill()
        child.communicate()
    assert child.returncode == -9
    again = forked_command(args, project_folder, {}, nohup=False)
    out, err = again.communicate()
    assert (again.returncode, err) == (0, "")
    assert "all tables are the same" in out
    assert dump(target) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "a\0b"}, r"subscriber was refused, id 4: .* U\+0000, which is in name"),
        ({"attributes": {"a": "\0"}}, r"id 4: .* U\+0000, which is in attributes"),
        ({"attributes": {"a": "\ud800"}}, r"id 4: invalid input syntax for type json"),
        ({"soft_bounces": 2**31}, r"id 4: .* out of range"),
        ({"address_key": "Zoë"}, None),
    ],
)
def test_row_that_postgresql_can_not_store_is_named(
    places: Places, value: dict[str, Any], message: str | None
) -> None:
    source, target = places.new("sqlite"), places.new("postgresql")
    fill(source)
    change = sa.update(subscriber).where(subscriber.c.id == 4)
    with source.engine.begin() as connection:
        connection.execute(change.values(value))
    if message is not None:
        with pytest.raises(DatabaseError, match=message):
            copy(source, target)
        with source.engine.begin() as connection:
            connection.execute(change.values(name="", attributes={}, soft_bounces=0))
    copy(source, target)
    assert dump(target) == dump(source)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_copy_is_refused_while_something_is_sent(places: Places, kind: str) -> None:
    source = places.new(kind)
    fill(source)
    for statement in (
        sa.update(batch).where(batch.c.id == 2).values(state="in_flight"),
        sa.update(send).where(send.c.id == 1).values(state="running"),
    ):
        with source.engine.begin() as connection:
            connection.execute(statement)
        with pytest.raises(SendRefusedError, match="2026-11-24-tide is being sent, 1 batch"):
            copy(source, places.new("sqlite"))
    with source.engine.begin() as connection:
        connection.execute(sa.update(batch).values(state="accepted"))
        connection.execute(sa.update(send).values(state="paused"))
    copy(source, places.new("sqlite"))


def test_wrong_targets_are_refused(places: Places) -> None:
    source, other = places.new("sqlite"), places.new("sqlite")
    fill(source)
    other_id = places.new("postgresql")
    with other_id.engine.begin() as connection:
        write_setting(connection, "newsletter_id", "another-1")
    half_done = places.new("postgresql")
    fill(other)
    with pytest.raises(KeyboardInterrupt):
        copy(other, half_done, 20)
    same = places.new("postgresql")
    fill(same)
    used = places.open(same.engine.url.render_as_string())
    cases = [
        (source, source, "this is the database itself"),
        (same, used, "this is the database itself"),
        (source, other, "not empty: 1 row in attribute"),
        (source, other_id, "belongs to another newsletter, with the id another-1"),
        (source, half_done, f"the copy of {other.url} into this database is not finished"),
    ]
    for origin, target, message in cases:
        with pytest.raises(NewsletterError, match=message):
            copy(origin, target)
    assert dump(source) == dump(other)
