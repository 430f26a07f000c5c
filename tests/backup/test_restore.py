"""A restore brings back what was, but nobody who has left and nothing to send twice."""

import datetime
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.backup import restore
from newsletter.backup.restore import LEDGER_TABLES, RestoreResult
from newsletter.backup.sqlite_copy import back_up, find_corruption
from newsletter.db import database_engine, read_transaction
from newsletter.db.schema import (
    attempt,
    batch,
    event,
    metadata,
    send,
    send_recipient,
    subscriber,
    suppression,
)
from newsletter.errors import DatabaseError
from newsletter.subscribers import iter_audience
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, erasure
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal
from newsletter.subscribers.consent.journal import to_changes as as_changes
from newsletter.subscribers.consent.transitions import replay_status

THEN = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
NOW = datetime.datetime(2026, 11, 24, 9, 0, tzinfo=datetime.UTC)
URL = "sqlite:///newsletter.db"

Do = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


class List:
    """The list in ``newsletter.db``, changed as the commands do it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "newsletter.db"
        self.backup = folder / "list.backup"

    def join(self, *names: str, at: datetime.datetime = THEN) -> None:
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            for name in names:
                address = parse_address(f"{name}@example.com")
                changes.subscribe(connection, address, "active", ChangeOrigin(at, "form"))

    def leave(self, name: str, word: str = "unsubscribed") -> None:
        origin = ChangeOrigin(NOW, "one_click", "a mail", "the button")
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            changes.SUPPRESSION_ACTIONS[word](connection, f"{name}@example.com", origin)

    def erase(self, name: str) -> None:
        with database_engine(URL, self.folder) as engine:
            erasure.erase_address(engine, f"{name}@example.com", NOW)

    def suppress(self, name: str) -> None:
        row = {"address_key": f"{name}@example.com", "reason": "bounced", "source": "SendGrid"}
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            connection.execute(sa.insert(suppression).values(since=NOW, **row))

    def send(
        self, issue: str, states: dict[str, str], *, id_: int = 1, at: datetime.datetime = NOW
    ) -> None:
        """One batch a send; each reader's state."""
        mailed = "accepted" if "accepted" in states.values() else "ready"
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            connection.execute(sa.insert(send).values(
                id=id_, issue=issue, state="done" if mailed == "accepted" else "paused",
                content_sha="sha", subject="Ice", frozen_at=at, total=len(states), excluded={},
            ))  # fmt: skip
            connection.execute(sa.insert(batch).values(
                id=id_ * 10, send_id=id_, number=1, size=len(states), state=mailed
            ))  # fmt: skip
            ids = sa.select(subscriber.c.id)
            for name, state in states.items():
                key = f"{name}@example.com"
                reader = connection.scalar(ids.where(subscriber.c.address_key == key))
                row = {"send_id": id_, "subscriber_id": reader, "batch_id": id_ * 10}
                connection.execute(
                    sa.insert(send_recipient).values(address_key=key, state=state, **row)
                )
            if mailed == "accepted":
                post = {"batch_id": id_ * 10, "number": 1, "body_sha": "x", "started_at": at}
                connection.execute(sa.insert(attempt).values(post))

    def drop_sends(self) -> None:
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            for table in reversed(LEDGER_TABLES):
                connection.execute(sa.delete(table))

    def back_up(self) -> None:
        back_up(self.path, self.backup)

    def restore(self) -> RestoreResult:
        with restore.open_backup(self.backup, self.path) as backup:
            return restore.restore_backup(backup, NOW)

    def mailed(self) -> list[str]:
        """Who would be mailed, by name."""
        with database_engine(URL, self.folder) as engine, read_transaction(engine) as connection:
            return [reader.address.partition("@")[0] for reader in iter_audience(connection)]

    def all(self, *columns: sa.ColumnElement[object]) -> list[tuple[object, ...]]:
        with database_engine(URL, self.folder) as engine, read_transaction(engine) as connection:
            return [tuple(row) for row in connection.execute(sa.select(*columns))]


@pytest.fixture
def readers(folder: Path) -> Iterator[List]:
    """Three readers, backed up."""
    made = List(folder)
    made.join("ada", "bo", "cy")
    yield made
    if made.path.exists():
        assert find_corruption(made.path) == []
    left_over = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert left_over == []


def test_the_list_is_as_it_was(readers: List) -> None:
    readers.back_up()
    readers.join("late", at=NOW)
    done = readers.restore()
    assert readers.mailed() == ["ada", "bo", "cy"]
    assert done.replaced_path == readers.folder / "newsletter.db.before-restore"
    readers.path.unlink()
    done.replaced_path.rename(readers.path)
    assert readers.mailed() == ["ada", "bo", "cy", "late"]


@pytest.mark.parametrize("word", ["unsubscribed", "bounced", "complained"])
def test_who_left_since_stays_away_and_the_journal_says_why(readers: List, word: str) -> None:
    readers.back_up()
    readers.leave("bo", word)
    done = readers.restore()
    assert readers.mailed() == ["ada", "cy"]
    assert done.carried_over is not None
    assert done.carried_over.suppressed == {word: 1}
    with database_engine(URL, readers.folder) as engine, read_transaction(engine) as connection:
        lines = load_journal(connection, 2)
    assert [(line.change, line.status) for line in lines] == [
        ("subscribed", "active"),
        (word, word),
    ]
    assert (lines[1].at, lines[1].method, lines[1].wording) == (NOW, "one_click", "the button")


def test_a_stronger_word_since_replaces_the_weaker(readers: List) -> None:
    readers.leave("bo", "bounced")
    readers.back_up()
    readers.leave("bo", "complained")
    readers.restore()
    rows = readers.all(subscriber.c.address_key, subscriber.c.status)
    assert ("bo@example.com", "complained") in rows


def test_who_left_before_the_backup_and_came_back_since_is_asked_again(readers: List) -> None:
    readers.leave("bo")
    readers.back_up()
    with database_engine(URL, readers.folder) as engine, engine.begin() as connection:
        origin = ChangeOrigin(NOW, "form", wording="Yes, write to me again")
        changes.resubscribe(connection, parse_address("bo@example.com"), "active", origin)
    readers.restore()
    assert readers.mailed() == ["ada", "cy"]


def test_who_joined_and_left_since_is_kept_out(readers: List) -> None:
    readers.back_up()
    readers.join("late", at=NOW)
    readers.leave("late", "complained")
    readers.suppress("stranger")
    done = readers.restore()
    assert done.carried_over is not None
    assert done.carried_over.suppressions_added == 2
    rows = readers.all(suppression.c.address_key, suppression.c.reason)
    assert sorted(rows) == [("late@example.com", "complained"), ("stranger@example.com", "bounced")]


def test_who_was_erased_since_is_erased_again(readers: List) -> None:
    readers.back_up()
    readers.erase("bo")
    done = readers.restore()
    assert done.carried_over is not None
    assert done.carried_over.erased == 1
    assert readers.mailed() == ["ada", "cy"]
    with pytest.raises(Exception, match="was erased"):
        readers.join("bo")


def test_links_in_mails_sent_since_go_on_working(readers: List) -> None:
    readers.back_up()
    with database_engine(URL, readers.folder) as engine, engine.begin() as connection:
        changes.rotate_token(connection, "bo@example.com", NOW)
    now = readers.all(subscriber.c.token)
    readers.restore()
    assert readers.all(subscriber.c.token) == now


def test_ids_given_since_are_not_given_again(readers: List) -> None:
    readers.back_up()
    readers.join("late", at=NOW)
    readers.restore()
    readers.join("later", at=NOW)
    assert max(readers.all(subscriber.c.id)) == (5,)


def test_what_was_sent_since_stays_sent(readers: List) -> None:
    readers.back_up()
    readers.join("late", at=NOW)
    readers.send("2026-11-20-ice", {"ada": "accepted", "late": "accepted"})
    with database_engine(URL, readers.folder) as engine, engine.begin() as connection:
        row = {"sg_event_id": "e1", "type": "delivered", "at": NOW, "send_id": 1, "raw": {}}
        connection.execute(sa.insert(event).values(row))
    before = {table.name: readers.all(*table.c) for table in (*LEDGER_TABLES, event)}
    done = readers.restore()
    assert done.carried_over is not None
    assert done.carried_over.sends == ["2026-11-20-ice"]
    assert {table.name: readers.all(*table.c) for table in (*LEDGER_TABLES, event)} == before


def test_a_send_that_went_on_since_the_backup_does_not_go_back(readers: List) -> None:
    readers.send("2026-11-20-ice", {"ada": "pending", "bo": "pending"})
    readers.back_up()
    readers.drop_sends()
    readers.send("2026-11-20-ice", {"ada": "accepted", "bo": "accepted"})
    readers.restore()
    assert readers.all(send_recipient.c.state) == [("accepted",), ("accepted",)]
    assert readers.all(send.c.state) == [("done",)]


def test_a_send_that_was_made_anew_is_the_new_one(readers: List) -> None:
    readers.send("2026-11-20-ice", {"ada": "pending", "bo": "pending"}, at=THEN)
    readers.back_up()
    readers.drop_sends()
    readers.send("2026-11-20-ice", {"cy": "accepted"}, at=NOW)
    readers.restore()
    assert readers.all(send_recipient.c.address_key) == [("cy@example.com",)]


def test_the_backups_sends_stay_where_the_present_list_is_new(readers: List) -> None:
    readers.send("2026-11-20-ice", {"ada": "accepted"})
    readers.back_up()
    readers.path.unlink()
    readers.join("new")
    readers.leave("new")
    done = readers.restore()
    assert readers.mailed() == ["ada", "bo", "cy"]
    assert readers.all(send.c.issue) == [("2026-11-20-ice",)]
    assert done.carried_over is not None
    assert done.carried_over.suppressions_added == 1


def test_another_list_is_no_earlier_state_of_this_one(readers: List) -> None:
    readers.send("2026-11-20-ice", {"ada": "accepted"}, at=THEN)
    readers.back_up()
    readers.drop_sends()
    readers.send("2026-11-21-thaw", {"bo": "accepted"})
    with pytest.raises(DatabaseError, match=r"another list .* doesn't know that 2026-11-20-ice"):
        readers.restore()
    assert readers.all(send.c.issue) == [("2026-11-21-thaw",)]
    assert not readers.path.with_name("newsletter.db.before-restore").exists()


def test_lists_that_erase_differently_are_two(readers: List) -> None:
    readers.erase("bo")
    readers.back_up()
    readers.path.unlink()
    readers.join("ada", "dot")
    readers.erase("dot")
    with pytest.raises(DatabaseError, match="of another list"):
        readers.restore()
    assert readers.mailed() == ["ada"]


def test_every_table_has_its_place() -> None:
    """A new table must be thought of here: is it forgotten, or taken over?"""
    taken_over = {"erased", "event", "suppression", *(table.name for table in LEDGER_TABLES)}
    merged = {"subscriber", "journal", "setting"}
    as_backed_up = {
        "subscriber_tag", "attribute", "provider_pause", "rate_bucket", "unsubscribe_reason",
        "rate_limit",
        # At worst somebody who was asked to confirm is asked once more: what is a day old is
        # given up.
        "transactional_email", "address_change",
    }  # fmt: skip
    assert {table.name for table in metadata.sorted_tables} == taken_over | merged | as_backed_up


def test_nothing_is_replaced_while_somebody_has_it_open(
    readers: List, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.backup.sqlite_copy.LOCK_TIMEOUT_SECONDS", 0.0)
    readers.back_up()
    readers.join("late", at=NOW)
    with closing(sqlite3.connect(readers.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="locked by another program"):
            readers.restore()
        other.execute("ROLLBACK")
    assert readers.mailed() == ["ada", "bo", "cy", "late"]
    assert not readers.path.with_name("newsletter.db.before-restore").exists()


def test_restoring_twice_keeps_both(readers: List) -> None:
    readers.back_up()
    first = readers.restore()
    second = readers.restore()
    assert first.replaced_path is not None
    assert second.replaced_path is not None
    assert (first.replaced_path.name, second.replaced_path.name) == (
        "newsletter.db.before-restore",
        "newsletter.db.before-restore-2",
    )


def test_no_database_no_log_of_an_older_one_either(readers: List) -> None:
    readers.back_up()
    readers.path.unlink()
    readers.path.with_name("newsletter.db-wal").write_bytes(b"stale")
    done = readers.restore()
    assert (done.carried_over, done.replaced_path) == (None, None)
    assert readers.mailed() == ["ada", "bo", "cy"]


def test_a_database_that_is_none_any_more(readers: List) -> None:
    readers.back_up()
    readers.leave("bo")
    readers.path.write_bytes(b"\0" * 10_000)
    done = readers.restore()
    assert done.carried_over is None
    assert done.replaced_path is not None
    assert done.replaced_path.read_bytes() == b"\0" * 10_000
    assert readers.mailed() == ["ada", "bo", "cy"]


def test_of_a_damaged_database_what_can_be_read_is_taken_over(readers: List) -> None:
    readers.back_up()
    readers.leave("bo")
    with closing(sqlite3.connect(readers.path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_event_address_key_type'"
        ).fetchone()
    with readers.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    assert find_corruption(readers.path)
    done = readers.restore()
    assert done.carried_over is not None
    assert readers.mailed() == ["ada", "cy"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no backup of a newsletter"),
        (b"email,name\n", "file is not a database"),
    ],
)
def test_what_is_no_backup_replaces_nothing(readers: List, content: bytes, words: str) -> None:
    readers.backup.write_bytes(content * 1000)
    with pytest.raises(DatabaseError, match=words) as refused:
        readers.restore()
    assert str(refused.value.problems[0].where).endswith("list.backup")
    assert readers.mailed() == ["ada", "bo", "cy"]


def test_a_backup_of_a_newer_newsletter(readers: List) -> None:
    readers.back_up()
    with closing(sqlite3.connect(readers.backup)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(DatabaseError, match=r"list\.backup: .*version 9999.*update with"):
        readers.restore()


def test_what_is_compared(readers: List) -> None:
    readers.back_up()
    readers.join("late", at=NOW)
    readers.send("2026-11-20-ice", {"ada": "accepted"})
    with restore.open_backup(readers.backup, readers.path) as backup:
        ours, theirs, gone = restore.compare_contents(backup)
    assert theirs is not None
    assert (sum(ours.subscribers.values()), ours.sends, ours.last_change_at) == (3, 0, THEN)
    assert (sum(theirs.subscribers.values()), theirs.sends, theirs.last_change_at) == (4, 1, NOW)
    assert gone == 1


def test_the_journal_adds_up_afterwards(readers: List) -> None:
    readers.back_up()
    readers.leave("ada", "bounced")
    readers.leave("ada", "unsubscribed")
    readers.leave("bo", "complained")
    readers.restore()
    with database_engine(URL, readers.folder) as engine, read_transaction(engine) as connection:
        for id_, status in connection.execute(sa.select(subscriber.c.id, subscriber.c.status)):
            assert replay_status(as_changes(load_journal(connection, id_))) == status
            assert status == {1: "unsubscribed", 2: "complained", 3: "active"}[id_]
