"""A restore keeps later unsubscribes, erasures and the record of what was sent."""

import datetime
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from newsletter.backup import restore
from newsletter.backup.carry_over_sends import LEDGER_TABLES
from newsletter.backup.restore import RestoreResult
from newsletter.backup.verified_backup import open_backup
from newsletter.config.tracking import TrackingOptions
from newsletter.db import database_engine, read_transaction
from newsletter.db.identity import mark_as_moved
from newsletter.db.schema import (
    attempt,
    batch,
    event,
    metadata,
    send,
    send_recipient,
    setting,
    subscriber,
    suppression,
    unreadable_event,
)
from newsletter.db.sqlite_copy import back_up, find_corruption
from newsletter.errors import DatabaseError
from newsletter.sending.ledger.copied_database import hold_if_copied
from newsletter.subscribers import iter_audience
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, erasure
from newsletter.subscribers.consent.journal import ChangeOrigin, load_journal, to_changes
from newsletter.subscribers.consent.tracking_answers import (
    TrackingAnswers,
    record_tracking_answers,
    replay_answers,
)
from newsletter.subscribers.consent.transitions import replay_status
from newsletter.subscribers.consent.unreadable_events import DROPPED_KEY
from newsletter.subscribers.topics import insert_send_topic, load_opt_outs, set_chosen_topics
from newsletter.subscribers.tracking_record import insert_tracking

OLD_DATABASE = (
    Path(__file__).parents[1] / "fixtures" / "project_0_1" / "harbour-notes" / "newsletter.db"
)
THEN = datetime.datetime(2026, 11, 1, 9, 0, tzinfo=datetime.UTC)
NOW = datetime.datetime(2026, 11, 24, 9, 0, tzinfo=datetime.UTC)
URL = "sqlite:///newsletter.db"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


class MailingList:
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

    def suppress(self, name: str, status: str = "unsubscribed") -> None:
        origin = ChangeOrigin(NOW, "one_click", "a mail", "the button")
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            changes.SUPPRESSION_ACTIONS[status](connection, f"{name}@example.com", origin)

    def erase(self, name: str) -> None:
        with database_engine(URL, self.folder) as engine:
            erasure.erase_address(engine, f"{name}@example.com", NOW)

    def add_suppression(self, name: str) -> None:
        row = {"address_key": f"{name}@example.com", "reason": "bounced", "source": "SendGrid"}
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            connection.execute(sa.insert(suppression).values(since=NOW, **row))

    def add_unreadable(self, *texts: str) -> None:
        rows = [
            {
                "received_at": THEN,
                "reason": "",
                "source": "webhook",
                "body": text.encode(),
                "length": 1,
                "sha256": text,
            }
            for text in texts
        ]
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            connection.execute(sa.insert(unreadable_event), rows)

    def send(
        self, issue: str, states: dict[str, str], *, id_: int = 1, at: datetime.datetime = NOW
    ) -> None:
        """Insert a send of one batch, with the state of each recipient."""
        batch_state = "accepted" if "accepted" in states.values() else "ready"
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            connection.execute(sa.insert(send).values(
                id=id_, issue=issue, state="done" if batch_state == "accepted" else "paused",
                content_sha="sha", subject="Ice", frozen_at=at, total=len(states), excluded={},
            ))  # fmt: skip
            connection.execute(
                sa.insert(batch).values(
                    id=id_ * 10, send_id=id_, number=1, size=len(states), state=batch_state
                )
            )
            ids = sa.select(subscriber.c.id)
            for name, state in states.items():
                key = f"{name}@example.com"
                subscriber_id = connection.scalar(ids.where(subscriber.c.address_key == key))
                row = {
                    "send_id": id_,
                    "subscriber_id": subscriber_id,
                    "batch_id": id_ * 10,
                    "root_id": id_,
                }
                connection.execute(
                    sa.insert(send_recipient).values(address_key=key, state=state, **row)
                )
            if batch_state == "accepted":
                row = {"batch_id": id_ * 10, "number": 1, "body_sha": "x", "started_at": at}
                connection.execute(sa.insert(attempt).values(row))

    def record_tracking(self, issue: str, *, opens: bool) -> None:
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            tracking = TrackingOptions.model_validate({"opens": opens})
            insert_tracking(connection, issue, tracking, is_partly_sent=False)

    def delete_setting(self, key: str) -> None:
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            connection.execute(sa.delete(setting).where(setting.c.key == key))

    def drop_sends(self) -> None:
        with database_engine(URL, self.folder) as engine, engine.begin() as connection:
            for table in reversed(LEDGER_TABLES):
                connection.execute(sa.delete(table))

    def back_up(self) -> None:
        back_up(self.path, self.backup)

    def restore(self) -> RestoreResult:
        with open_backup(self.backup, self.path) as backup:
            return restore.restore_backup(backup, NOW)

    def audience(self) -> list[str]:
        """Return the names of those who would be mailed."""
        with database_engine(URL, self.folder) as engine, read_transaction(engine) as connection:
            return [member.address.partition("@")[0] for member in iter_audience(connection)]

    def select(self, *columns: sa.ColumnElement[object]) -> list[tuple[object, ...]]:
        with database_engine(URL, self.folder) as engine, read_transaction(engine) as connection:
            return [tuple(row) for row in connection.execute(sa.select(*columns))]


@pytest.fixture
def mailing_list(folder: Path) -> Iterator[MailingList]:
    """A list of three subscribers; afterwards it is sound and no temporary file is left."""
    mailing_list = MailingList(folder)
    mailing_list.join("ada", "bo", "cy")
    yield mailing_list
    if mailing_list.path.exists():
        assert find_corruption(mailing_list.path) == []
    temporary_files = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert temporary_files == []


def test_restore_brings_back_the_list_and_keeps_the_replaced_database(
    mailing_list: MailingList,
) -> None:
    mailing_list.back_up()
    mailing_list.join("late", at=NOW)
    result = mailing_list.restore()
    assert mailing_list.audience() == ["ada", "bo", "cy"]
    assert result.replaced_path == mailing_list.folder / "newsletter.db.before-restore"
    mailing_list.path.unlink()
    result.replaced_path.rename(mailing_list.path)
    assert mailing_list.audience() == ["ada", "bo", "cy", "late"]


@pytest.mark.parametrize("status", ["unsubscribed", "bounced", "complained"])
def test_suppression_since_the_backup_is_carried_over_with_its_journal_entry(
    mailing_list: MailingList, status: str
) -> None:
    mailing_list.back_up()
    mailing_list.suppress("bo", status)
    result = mailing_list.restore()
    assert mailing_list.audience() == ["ada", "cy"]
    assert result.carried_over is not None
    assert result.carried_over.suppressed == {status: 1}
    with (
        database_engine(URL, mailing_list.folder) as engine,
        read_transaction(engine) as connection,
    ):
        entries = load_journal(connection, 2)
    assert [(entry.change, entry.status) for entry in entries] == [
        ("subscribed", "active"),
        (status, status),
    ]
    assert (entries[1].at, entries[1].method, entries[1].wording) == (
        NOW,
        "one_click",
        "the button",
    )


def test_opt_out_since_the_backup_follows_its_subscriber(mailing_list: MailingList) -> None:
    with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
        set_chosen_topics(connection, "cy@example.com", ["weekly"], [], (THEN, "/p"))
    mailing_list.back_up()
    with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
        for name, wanted in (("ada", []), ("bo", []), ("cy", ["weekly"])):
            key = f"{name}@example.com"
            set_chosen_topics(connection, key, ["weekly"], wanted, (NOW, "/p"))
        moved = parse_address("b@example.com")
        changes.change_address(connection, "bo@example.com", moved, ChangeOrigin(NOW, "form"))
        insert_send_topic(connection, 7, "weekly")
    result = mailing_list.restore()
    assert result.carried_over is not None
    assert result.carried_over.suppressions_added == 0
    with (
        database_engine(URL, mailing_list.folder) as engine,
        read_transaction(engine) as connection,
    ):
        for name in ("ada", "bo", "cy"):
            [opt_out] = load_opt_outs(connection, f"{name}@example.com")
            assert opt_out.topic == "weekly"
        assert connection.scalar(sa.select(setting.c.value).where(setting.c.key.contains("send 7")))


def test_complaint_since_the_backup_replaces_an_earlier_bounce(mailing_list: MailingList) -> None:
    mailing_list.suppress("bo", "bounced")
    mailing_list.back_up()
    mailing_list.suppress("bo", "complained")
    mailing_list.restore()
    rows = mailing_list.select(subscriber.c.address_key, subscriber.c.status)
    assert ("bo@example.com", "complained") in rows


def test_resubscription_since_the_backup_is_not_carried_over(mailing_list: MailingList) -> None:
    mailing_list.suppress("bo")
    mailing_list.back_up()
    with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
        origin = ChangeOrigin(NOW, "form", wording="Yes, write to me again")
        changes.resubscribe(connection, parse_address("bo@example.com"), "active", origin)
    mailing_list.restore()
    assert mailing_list.audience() == ["ada", "cy"]


def test_unsubscribe_of_a_subscriber_not_in_the_backup_becomes_a_suppression(
    mailing_list: MailingList,
) -> None:
    mailing_list.back_up()
    mailing_list.join("late", at=NOW)
    mailing_list.suppress("late", "complained")
    mailing_list.add_suppression("stranger")
    result = mailing_list.restore()
    assert result.carried_over is not None
    assert result.carried_over.suppressions_added == 2
    rows = mailing_list.select(suppression.c.address_key, suppression.c.reason)
    assert sorted(rows) == [("late@example.com", "complained"), ("stranger@example.com", "bounced")]


def test_erasure_since_the_backup_is_applied_again(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    mailing_list.erase("bo")
    result = mailing_list.restore()
    assert result.carried_over is not None
    assert result.carried_over.erased == 1
    assert mailing_list.audience() == ["ada", "cy"]
    with pytest.raises(Exception, match="was erased"):
        mailing_list.join("bo")


def test_tokens_changed_since_the_backup_are_carried_over(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
        changes.rotate_token(connection, "bo@example.com", NOW)
    now = mailing_list.select(subscriber.c.token)
    mailing_list.restore()
    assert mailing_list.select(subscriber.c.token) == now


def test_subscriber_ids_are_not_reused(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    mailing_list.join("late", at=NOW)
    mailing_list.restore()
    mailing_list.join("later", at=NOW)
    assert max(mailing_list.select(subscriber.c.id)) == (5,)


def test_sends_since_the_backup_are_carried_over(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    mailing_list.join("late", at=NOW)
    mailing_list.send("2026-11-20-ice", {"ada": "accepted", "late": "accepted"})
    with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
        row = {"sg_event_id": "e1", "type": "delivered", "at": NOW, "send_id": 1, "raw": {}}
        connection.execute(sa.insert(event).values(row))
    before = {table.name: mailing_list.select(*table.c) for table in (*LEDGER_TABLES, event)}
    result = mailing_list.restore()
    assert result.carried_over is not None
    assert result.carried_over.sends == ["2026-11-20-ice"]
    assert {
        table.name: mailing_list.select(*table.c) for table in (*LEDGER_TABLES, event)
    } == before


def test_record_of_tracking_is_that_of_the_present_database(mailing_list: MailingList) -> None:
    """A discarded plan leaves a record in the backup, a later send one in the present database."""
    mailing_list.record_tracking("2026-11-20-ice", opens=True)
    mailing_list.back_up()
    mailing_list.send("2026-11-20-ice", {"ada": "accepted"})
    mailing_list.record_tracking("2026-11-20-ice", opens=False)
    mailing_list.delete_setting("tracking opens on 2026-11-20-ice")
    before = mailing_list.select(setting.c.key)
    mailing_list.restore()
    assert mailing_list.select(setting.c.key) == before
    assert before == [
        ("tracking clicks off 2026-11-20-ice",),
        ("tracking opens off 2026-11-20-ice",),
    ]


def test_record_of_tracking_is_kept_with_the_sends_of_the_backup(
    mailing_list: MailingList,
) -> None:
    mailing_list.record_tracking("2026-11-20-ice", opens=True)
    mailing_list.send("2026-11-20-ice", {"ada": "accepted"})
    before = mailing_list.select(setting.c.key)
    mailing_list.back_up()
    mailing_list.path.unlink()
    mailing_list.join("new")
    mailing_list.restore()
    keys = {key for (key,) in mailing_list.select(setting.c.key)}
    assert {key for (key,) in before} <= keys


def test_restore_of_an_earlier_version_leaves_no_other_copy(mailing_list: MailingList) -> None:
    shutil.copyfile(OLD_DATABASE, mailing_list.backup)
    mailing_list.path.unlink()
    mailing_list.restore()
    assert sorted(path.name for path in mailing_list.folder.iterdir()) == [
        "list.backup",
        "newsletter.db",
    ]


def test_leftovers_of_killed_restores_are_deleted(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    names = (".newsletter.db.ab12_x9z", ".newsletter.db.before-restore-2.ab12_x9z-journal")
    for name in names:
        (mailing_list.folder / name).touch()
        os.utime(mailing_list.folder / name, (0, 0))
    mailing_list.restore()


def test_send_that_progressed_since_the_backup_keeps_its_progress(
    mailing_list: MailingList,
) -> None:
    mailing_list.send("2026-11-20-ice", {"ada": "pending", "bo": "pending"})
    mailing_list.back_up()
    mailing_list.drop_sends()
    mailing_list.send("2026-11-20-ice", {"ada": "accepted", "bo": "accepted"})
    mailing_list.restore()
    assert mailing_list.select(send_recipient.c.state) == [("accepted",), ("accepted",)]
    assert mailing_list.select(send.c.state) == [("done",)]


def test_send_planned_again_since_the_backup_replaces_the_old_one(
    mailing_list: MailingList,
) -> None:
    mailing_list.send("2026-11-20-ice", {"ada": "pending", "bo": "pending"}, at=THEN)
    mailing_list.back_up()
    mailing_list.drop_sends()
    mailing_list.send("2026-11-20-ice", {"cy": "accepted"}, at=NOW)
    mailing_list.restore()
    assert mailing_list.select(send_recipient.c.address_key) == [("cy@example.com",)]


def test_sends_of_the_backup_are_kept_if_the_present_list_has_none(
    mailing_list: MailingList,
) -> None:
    mailing_list.send("2026-11-20-ice", {"ada": "accepted"})
    mailing_list.back_up()
    mailing_list.path.unlink()
    mailing_list.join("new")
    mailing_list.suppress("new")
    result = mailing_list.restore()
    assert mailing_list.audience() == ["ada", "bo", "cy"]
    assert mailing_list.select(send.c.issue) == [("2026-11-20-ice",)]
    assert result.carried_over is not None
    assert result.carried_over.suppressions_added == 1


def test_backup_with_an_unknown_accepted_send_is_refused(mailing_list: MailingList) -> None:
    mailing_list.send("2026-11-20-ice", {"ada": "accepted"}, at=THEN)
    mailing_list.back_up()
    mailing_list.drop_sends()
    mailing_list.send("2026-11-21-thaw", {"bo": "accepted"})
    with pytest.raises(
        DatabaseError, match=r"not an earlier state .* no record that 2026-11-20-ice"
    ):
        mailing_list.restore()
    assert mailing_list.select(send.c.issue) == [("2026-11-21-thaw",)]
    assert not mailing_list.path.with_name("newsletter.db.before-restore").exists()


@pytest.mark.parametrize("outcome", ["accepted", "unknown", None])
def test_backup_of_a_later_state_of_a_send_is_refused(
    mailing_list: MailingList, outcome: str | None
) -> None:
    """The current database is the older one, of a disk image: it would send the issue again."""
    mailing_list.send("2026-11-20-ice", {"ada": "pending"}, at=THEN)
    shutil.copyfile(mailing_list.path, mailing_list.folder / "image")
    with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
        state = outcome or "in_flight"
        connection.execute(sa.update(batch).values(state=state))
        row = {"batch_id": 10, "number": 1, "body_sha": "sha", "started_at": NOW}
        connection.execute(sa.insert(attempt).values(outcome=outcome, **row))
    mailing_list.back_up()
    (mailing_list.folder / "image").replace(mailing_list.path)
    with pytest.raises(
        DatabaseError, match=r"not an earlier state .* no record that 2026-11-20-ice"
    ):
        mailing_list.restore()
    mailing_list.path.unlink()
    mailing_list.restore()
    assert mailing_list.select(batch.c.state) == [(outcome or "in_flight",)]


def test_backup_of_a_copy_that_held_a_send_does_not_replace_its_record(
    mailing_list: MailingList,
) -> None:
    mailing_list.send("2026-11-20-ice", {"ada": "pending"}, at=THEN)
    shutil.copyfile(mailing_list.path, mailing_list.folder / "original")
    with database_engine(URL, mailing_list.folder) as engine:
        with engine.begin() as connection:
            mark_as_moved(connection)
        assert hold_if_copied(engine, NOW)
    mailing_list.back_up()
    (mailing_list.folder / "original").replace(mailing_list.path)
    mailing_list.restore()
    assert mailing_list.select(batch.c.state) == [("ready",)]


def test_backup_with_a_different_erasure_salt_is_refused(mailing_list: MailingList) -> None:
    mailing_list.erase("bo")
    mailing_list.back_up()
    mailing_list.path.unlink()
    mailing_list.join("ada", "dot")
    mailing_list.erase("dot")
    with pytest.raises(DatabaseError, match="erasure salts differ"):
        mailing_list.restore()
    assert mailing_list.audience() == ["ada"]


def test_unreadable_events_are_those_of_the_present_database(mailing_list: MailingList) -> None:
    mailing_list.add_unreadable("ada@example.com", "deleted since")
    mailing_list.back_up()
    mailing_list.erase("ada")
    with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
        connection.execute(sa.delete(unreadable_event))
        connection.execute(sa.insert(setting).values(key=DROPPED_KEY, value="12"))
    mailing_list.add_unreadable("received since")
    mailing_list.restore()
    assert mailing_list.select(unreadable_event.c.body) == [(b"received since",)]
    dropped = sa.select(setting.c.value).where(setting.c.key == DROPPED_KEY).scalar_subquery()
    assert mailing_list.select(dropped) == [("12",)]


def test_every_table_is_handled_by_restore() -> None:
    """A new table must be added here: is it carried over, merged or restored from the backup?"""
    carried_over = {
        "erased",
        "event",
        "suppression",
        "unreadable_event",
        *(table.name for table in LEDGER_TABLES),
    }
    merged = {"subscriber", "journal", "setting"}
    as_backed_up = {
        "subscriber_tag", "attribute", "provider_pause", "rate_bucket", "unsubscribe_reason",
        "rate_limit", "refused_signup",
        # At worst somebody receives a second confirmation email: those over a day old are dropped.
        "transactional_email", "address_change",
        # Of the time of the backup: none of them counts as running any more.
        "worker",
    }  # fmt: skip
    tables = {table.name for table in metadata.sorted_tables}
    assert tables == carried_over | merged | as_backed_up


def test_restore_is_refused_while_the_database_is_open(
    mailing_list: MailingList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("newsletter.db.sqlite_copy.LOCK_TIMEOUT_SECONDS", 0.0)
    mailing_list.back_up()
    mailing_list.join("late", at=NOW)
    with closing(sqlite3.connect(mailing_list.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError, match="locked by another program"):
            mailing_list.restore()
        other.execute("ROLLBACK")
    assert mailing_list.audience() == ["ada", "bo", "cy", "late"]
    assert not mailing_list.path.with_name("newsletter.db.before-restore").exists()


def test_restoring_twice_keeps_both_replaced_databases(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    first = mailing_list.restore()
    second = mailing_list.restore()
    assert first.replaced_path is not None
    assert second.replaced_path is not None
    assert (first.replaced_path.name, second.replaced_path.name) == (
        "newsletter.db.before-restore",
        "newsletter.db.before-restore-2",
    )


def test_leftover_write_ahead_log_is_moved_away(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    mailing_list.path.unlink()
    mailing_list.path.with_name("newsletter.db-wal").write_bytes(b"stale")
    result = mailing_list.restore()
    assert (result.carried_over, result.replaced_path) == (None, None)
    assert mailing_list.audience() == ["ada", "bo", "cy"]


def test_unreadable_database_is_kept_aside_and_replaced(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    mailing_list.suppress("bo")
    mailing_list.path.write_bytes(b"\0" * 10_000)
    result = mailing_list.restore()
    assert result.carried_over is None
    assert result.replaced_path is not None
    assert result.replaced_path.read_bytes() == b"\0" * 10_000
    assert mailing_list.audience() == ["ada", "bo", "cy"]


def test_unsubscribes_are_carried_over_from_a_damaged_database(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    mailing_list.suppress("bo")
    damage(mailing_list.path)
    result = mailing_list.restore()
    assert result.carried_over is not None
    assert mailing_list.audience() == ["ada", "cy"]


def damage(database: Path) -> None:
    """Overwrite an index that a restore doesn't read."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_event_address_key_type'"
        ).fetchone()
    with database.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)
    assert find_corruption(database)


def test_sends_are_carried_over_from_a_damaged_database_of_an_older_version(
    mailing_list: MailingList,
) -> None:
    """It was not upgraded: there, the reason why an erased reader was left out is gone."""
    mailing_list.back_up()
    mailing_list.send("2026-11-24-ice", {"ada": "accepted", "bo": "accepted", "cy": "unknown"})
    with closing(sqlite3.connect(mailing_list.path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE send_recipient SET state = 'rejected' WHERE subscriber_id = 2")
        connection.execute("UPDATE newsletter_version SET version_num = '0008'")
        connection.commit()
    damage(mailing_list.path)
    result = mailing_list.restore()
    assert result.carried_over is not None
    assert result.carried_over.sends == ["2026-11-24-ice"]
    columns = send_recipient.c.state, send_recipient.c.error
    assert sorted(mailing_list.select(*columns)) == [
        ("accepted", ""), ("rejected", "the reason was erased"), ("unknown", "")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a backup of a newsletter"),
        (b"email,name\n", "file is not a database"),
    ],
)
def test_file_that_is_not_a_backup_is_refused(
    mailing_list: MailingList, content: bytes, message: str
) -> None:
    mailing_list.backup.write_bytes(content * 1000)
    with pytest.raises(DatabaseError, match=message) as raised:
        mailing_list.restore()
    assert str(raised.value.problems[0].where).endswith("list.backup")
    assert mailing_list.audience() == ["ada", "bo", "cy"]


def test_backup_of_a_newer_version_is_refused(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    with closing(sqlite3.connect(mailing_list.backup)) as connection:
        connection.execute("UPDATE newsletter_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(DatabaseError, match=r"list\.backup: .*version 9999.*Update with"):
        mailing_list.restore()


def test_compare_contents_of_backup_and_present_database(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    mailing_list.join("late", at=NOW)
    mailing_list.send("2026-11-20-ice", {"ada": "accepted"})
    with open_backup(mailing_list.backup, mailing_list.path) as backup:
        old, present, missing = restore.compare_contents(backup)
    assert present is not None
    assert (sum(old.subscribers.values()), old.sends, old.last_change_at) == (3, 0, THEN)
    assert (sum(present.subscribers.values()), present.sends, present.last_change_at) == (4, 1, NOW)
    assert missing == 1


def test_status_matches_journal_after_restore(mailing_list: MailingList) -> None:
    mailing_list.back_up()
    mailing_list.suppress("ada", "bounced")
    mailing_list.suppress("ada", "unsubscribed")
    mailing_list.suppress("bo", "complained")
    mailing_list.restore()
    with (
        database_engine(URL, mailing_list.folder) as engine,
        read_transaction(engine) as connection,
    ):
        for id_, status in connection.execute(sa.select(subscriber.c.id, subscriber.c.status)):
            assert replay_status(to_changes(load_journal(connection, id_))) == status
            assert status == {1: "unsubscribed", 2: "complained", 3: "active"}[id_]


ANSWER = ChangeOrigin(NOW, "form", "/p", "Yes, you may.")


@pytest.mark.parametrize(
    ("before", "since", "after"),
    [
        ({"opens": True}, {"opens": False}, (False, None)),
        ({"opens": True, "clicks": True}, {"clicks": False}, (True, False)),
        # An agreement since the backup is lost with all else: they are asked again.
        ({}, {"opens": True}, (None, None)),
        ({"opens": False}, {"opens": True}, (False, None)),
        ({"opens": True}, {}, (True, None)),
        # Otherwise an import could state that they agree, as of somebody who was not asked.
        ({}, {"opens": False}, (False, None)),
        ({"opens": True, "clicks": True}, {"opens": False, "clicks": False}, (False, False)),
        ({"clicks": True}, {"opens": False, "clicks": False}, (False, False)),
    ],
)
@pytest.mark.parametrize("moves", [False, True])
def test_refusal_to_be_tracked_since_the_backup_is_carried_over(
    mailing_list: MailingList,
    before: TrackingAnswers,
    since: TrackingAnswers,
    after: tuple[bool | None, bool | None],
    *,
    moves: bool,
) -> None:
    def answer(answers: TrackingAnswers) -> None:
        with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
            record_tracking_answers(connection, 2, answers, ANSWER)

    answer(before)
    mailing_list.back_up()
    answer(since)
    if moves:
        with database_engine(URL, mailing_list.folder) as engine, engine.begin() as connection:
            new_address = parse_address("bo.new@example.com")
            changes.change_address(connection, "bo@example.com", new_address, ANSWER)
    result = mailing_list.restore()
    columns = (subscriber.c.opens_consent, subscriber.c.clicks_consent)
    assert mailing_list.select(subscriber.c.id, *columns)[1] == (2, *after)
    assert result.carried_over
    assert result.carried_over.tracking_refused == (False in since.values())
    with (
        database_engine(URL, mailing_list.folder) as engine,
        read_transaction(engine) as connection,
    ):
        entries = load_journal(connection, 2)
    answers = replay_answers(entry.change for entry in entries)
    assert (answers.get("opens"), answers.get("clicks")) == after


@pytest.mark.parametrize("is_live_damaged", [False, True])
@pytest.mark.parametrize("is_made_again", [False, True])
def test_restore_whose_copy_is_gone_changes_nothing(
    folder: Path, *, is_live_damaged: bool, is_made_again: bool
) -> None:
    mailing_list = MailingList(folder)
    mailing_list.join("ada", "grace")
    back_up(mailing_list.path, mailing_list.backup)
    if is_live_damaged:
        mailing_list.path.write_bytes(b"not a database")
    before = mailing_list.path.read_bytes()
    with open_backup(mailing_list.backup, mailing_list.path) as backup:
        backup.copy.rename(folder / "kept")  # as by a command that deletes what was left over
        if is_made_again:
            backup.copy.touch()
        with pytest.raises(DatabaseError, match="has been deleted meanwhile"):
            restore.restore_backup(backup, NOW)
    assert mailing_list.path.read_bytes() == before
    assert not list(folder.glob("*.before-restore*"))


def test_restore_whose_copy_vanishes_while_it_carries_over_changes_nothing(folder: Path) -> None:
    mailing_list = MailingList(folder)
    mailing_list.join("ada", "grace")
    back_up(mailing_list.path, mailing_list.backup)
    with open_backup(mailing_list.backup, mailing_list.path) as backup:
        sa.event.listen(
            backup.engine, "commit", lambda _: backup.copy.rename(folder / "kept"), once=True
        )
        with pytest.raises(DatabaseError, match="has been deleted meanwhile"):
            restore.restore_backup(backup, NOW)
    assert (folder / "kept").exists()
    assert mailing_list.audience() == ["ada", "grace"]
    assert not list(folder.glob("*.before-restore*"))
