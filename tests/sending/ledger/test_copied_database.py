"""A copy of a database neither sends what the original may have sent, nor loses anybody."""

import datetime
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from database_copies import TOTAL, Home

from newsletter.db import open_database, read_transaction
from newsletter.db.identity_mark import load_mark, mark_path
from newsletter.db.schema import attempt, batch, event, setting, transactional_email
from newsletter.db.sqlite_copy import back_up
from newsletter.errors import DatabaseError, SendRefusedError
from newsletter.sending.lanes.worker_records import add_worker, list_workers
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger.copied_database import adopt, find_copy, hold_if_copied
from newsletter.sending.ledger.heartbeat import load_heartbeats, record_heartbeat
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.transactional_queue import enqueue_email, has_due_emails
from newsletter.subscribers.address import parse_address

HOUR = datetime.timedelta(hours=1)
LATER = "2026-12-08-thaw"
MakeCopy = Callable[[Home], Home]
GARBAGE = ["", "{", "[]", '{"identity": "x"}', "\0" * 90, "[" * 100_000]


@pytest.fixture
def original(home: Home) -> Home:
    return home


def assert_nobody_twice(double: FakeSendGrid) -> None:
    assert len({email.address for email in double.accepted}) == len(double.accepted)


@pytest.mark.parametrize("begun", [False, True])
def test_copy_sends_nothing_that_the_original_may_have_sent(
    original: Home,
    make_copy: MakeCopy,
    double: FakeSendGrid,
    begun: bool,
) -> None:
    if begun:
        original.deliver(1)
    copy = make_copy(original)
    original.deliver()
    assert len(double.accepted) == TOTAL
    accepted = 10 if begun else 0
    expected = {"accepted": accepted, "unknown": TOTAL - accepted}
    assert copy.states() == {state: count for state, count in expected.items() if count}
    assert copy.send.state == "needs_review"
    assert "the database is a copy as of " in copy.send.reason
    with pytest.raises(SendRefusedError, match="newsletter db adopt"):
        copy.deliver()
    assert len(double.accepted) == TOTAL
    assert original.states() == {"accepted": TOTAL}


def test_copy_forgets_what_sends_where_the_original_is(original: Home, make_copy: MakeCopy) -> None:
    record_heartbeat(original.ledger, "serve")
    add_worker(original.ledger, "mail1:4211", 16)
    copy = make_copy(original)
    assert not load_heartbeats(copy.ledger)
    assert not list_workers(copy.ledger)
    assert [found.name for found in list_workers(original.ledger)] == ["mail1:4211"]
    assert [seen.starter for seen in load_heartbeats(original.ledger)] == ["serve"]


def test_events_of_the_original_resolve_what_the_copy_holds(
    original: Home, make_copy: MakeCopy, double: FakeSendGrid
) -> None:
    original.deliver(1)
    copy = make_copy(original)
    original.deliver()
    assert copy.states() == {"accepted": 10, "unknown": 15}
    with copy.engine.begin() as connection:
        for number, email in enumerate(double.accepted):
            ids = {name: int(email.custom_args[f"nl_{name}"]) for name in ("send", "batch")}
            connection.execute(
                sa.insert(event).values(
                    sg_event_id=str(number), type="delivered", at=copy.observer.now,
                    address_key=email.address, send_id=ids["send"], batch_id=ids["batch"],
                    attempt_number=int(email.custom_args["nl_attempt"]), raw={},
                )
            )  # fmt: skip
    assert reconcile_send(copy.ledger, copy.send).state == "done"
    assert copy.states() == {"accepted": TOTAL}


def test_held_batches_are_sent_after_an_explicit_decision(
    original: Home, make_copy: MakeCopy, double: FakeSendGrid
) -> None:
    """The original is gone: the copy is the only one that goes on."""
    original.deliver(1)
    copy = make_copy(original)
    unknown = find_unknown_batches(copy.ledger, copy.send)
    assert resolve_batches(copy.ledger, copy.send, unknown, "resend") == "paused"
    with pytest.raises(SendRefusedError, match="newsletter db adopt"):
        copy.deliver()
    adopt(copy.engine)
    copy.deliver()
    assert copy.states() == {"accepted": TOTAL}
    assert len(double.accepted) == TOTAL
    assert_nobody_twice(double)


def test_copy_is_held_once(original: Home, make_copy: MakeCopy, double: FakeSendGrid) -> None:
    copy = make_copy(original)
    unknown = find_unknown_batches(copy.ledger, copy.send)
    resolve_batches(copy.ledger, copy.send, unknown, "resend")
    adopt(copy.engine)
    copy.engine.dispose()
    copy.deliver(1)
    copy.engine.dispose()
    copy.deliver()
    assert copy.states() == {"accepted": TOTAL}
    assert_nobody_twice(double)


def test_copy_without_an_unfinished_send_is_left_alone(original: Home, make_copy: MakeCopy) -> None:
    original.deliver()
    assert make_copy(original).send.state == "done"


def move_with_mark(database: Path, target: Path) -> None:
    database.rename(target)
    mark_path(database).rename(mark_path(target))


def move_without_mark(database: Path, target: Path) -> None:
    database.rename(target)


def copy_with_mark(database: Path, target: Path) -> None:
    shutil.copyfile(database, target)
    shutil.copyfile(mark_path(database), mark_path(target))


def garble_mark(database: Path, target: Path) -> None:
    move_with_mark(database, target)
    mark_path(target).write_text("{")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("carry", "held"),
    [
        (move_with_mark, False),
        (move_without_mark, True),
        (copy_with_mark, True),
        (garble_mark, True),
    ],
)
def test_moved_file_is_no_copy_if_its_mark_moves_too(
    original: Home,
    tmp_path: Path,
    carry: Callable[[Path, Path], None],
    held: bool,
) -> None:
    original.deliver(1)
    original.engine.dispose()  # which also folds the write-ahead log into the file
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    carry(original.file, folder / "newsletter.db")
    engine = open_database("sqlite:///newsletter.db", folder)
    assert (original.at(engine).send.state == "needs_review") == held
    engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_older_content_in_the_same_file_is_recognized(
    original: Home, tmp_path: Path, double: FakeSendGrid
) -> None:
    original.deliver(1)
    back_up(original.file, tmp_path / "before")
    original.deliver()
    original.engine.dispose()
    inode = original.file.stat().st_ino
    shutil.copyfile(tmp_path / "before", original.file)
    assert original.file.stat().st_ino == inode
    assert original.states() == {"accepted": 10, "unknown": 15}
    with pytest.raises(SendRefusedError, match="newsletter db adopt"):
        original.deliver()
    assert_nobody_twice(double)


def extract_over(folder: Path, archive: Path) -> None:
    """Each file that is there is deleted first: the new one often gets its inode."""
    with tarfile.open(archive) as tar:
        # Python 3.11.2 has no filters.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)  # noqa: S202 - the test's own archive


def extract_anew(folder: Path, archive: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
    extract_over(folder, archive)


def overwrite(folder: Path, archive: Path) -> None:
    """Each file that is there keeps its inode."""
    kept = folder.with_name("kept")
    kept.mkdir()
    extract_over(kept, archive)
    shutil.copytree(kept, folder, dirs_exist_ok=True)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("restore_folder", [extract_over, extract_anew, overwrite])
def test_folder_that_is_restored_in_its_place_with_the_mark_is_a_copy(
    original: Home,
    tmp_path: Path,
    double: FakeSendGrid,
    restore_folder: Callable[[Path, Path], None],
) -> None:
    original.engine.dispose()
    folder, archive = tmp_path / "home", tmp_path / "home.tar"
    folder.mkdir()
    move_with_mark(original.file, folder / "newsletter.db")
    engine = open_database("sqlite:///newsletter.db", folder)
    home = original.at(engine)
    assert home.send.state == "frozen"
    engine.dispose()
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, ".")
    home.deliver()
    engine.dispose()
    restore_folder(folder, archive)
    with pytest.raises(SendRefusedError, match="newsletter db adopt"):
        home.deliver()
    assert home.states() == {"unknown": TOTAL}
    assert len(double.accepted) == TOTAL
    engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_mark_is_private_and_beside_the_database(original: Home) -> None:
    mark = mark_path(original.file)
    assert mark.name == "newsletter.db.mark"  # which .gitignore excludes
    assert mark.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in mark.parent.glob("*.mark*")] == [mark.name]


def test_batches_of_a_copy_have_a_new_fence(original: Home, make_copy: MakeCopy) -> None:
    copy = make_copy(original)
    assert copy.send.state == "needs_review"
    with read_transaction(copy.engine) as connection:
        assert set(connection.scalars(sa.select(batch.c.fence))) == {1}


def test_issue_that_the_copy_does_not_know_is_not_sent_from_it(
    original: Home, make_copy: MakeCopy, double: FakeSendGrid
) -> None:
    original.deliver()
    copy = make_copy(original).of_issue(LATER)
    with pytest.raises(SendRefusedError, match="newsletter db adopt"):
        copy.plan()
    adopt(copy.engine)
    copy.plan()
    copy.deliver()
    assert copy.states() == {"accepted": TOTAL}
    assert len(double.accepted) == 2 * TOTAL


def test_refused_readers_are_not_retried_from_a_copy(original: Home, make_copy: MakeCopy) -> None:
    original.deliver()
    copy = make_copy(original)
    with pytest.raises(SendRefusedError, match="newsletter db adopt"):
        pause_cancel_retry.retry_rejected(copy.ledger, copy.send, 10)


def test_adopted_database_is_a_copy_no_more(original: Home, make_copy: MakeCopy) -> None:
    assert find_copy(original.engine) is None
    copy = make_copy(original)
    unrecognized = find_copy(copy.engine)
    assert unrecognized is not None
    assert unrecognized.held_issues == ()
    assert copy.send.state == "needs_review"
    recognized = find_copy(copy.engine)
    assert recognized == replace(unrecognized, held_issues=(copy.send.issue,))
    adopt(copy.engine)
    assert find_copy(copy.engine) is None
    assert find_copy(make_copy(copy).engine) is not None


def test_copy_of_a_copy_knows_no_more_of_the_original(original: Home, make_copy: MakeCopy) -> None:
    copy = make_copy(original)
    first = hold_if_copied(copy.engine, original.observer.now + HOUR)
    reason = copy.send.reason
    unknown = find_unknown_batches(copy.ledger, copy.send)
    resolve_batches(copy.ledger, copy.send, unknown, "resend")
    second_copy = make_copy(copy)
    again = hold_if_copied(second_copy.engine, original.observer.now + 2 * HOUR)
    assert first is not None
    assert first.as_of == original.observer.now
    assert again == first
    assert second_copy.send.reason == reason


def test_request_in_flight_is_ended_as_unknown(original: Home, make_copy: MakeCopy) -> None:
    """A copy that was made while a request was in flight."""
    with original.engine.begin() as connection:
        batch_id = connection.scalar(sa.select(sa.func.min(batch.c.id)))
        connection.execute(sa.update(batch).where(batch.c.id == batch_id).values(state="in_flight"))
        row = {"batch_id": batch_id, "number": 1, "body_sha": "sha"}
        connection.execute(sa.insert(attempt).values(started_at=original.observer.now, **row))
    copy = make_copy(original)
    assert copy.states() == {"unknown": TOTAL}
    with read_transaction(copy.engine) as connection:
        rows = connection.execute(
            sa.select(attempt.c.number, attempt.c.body_sha != "", attempt.c.outcome)
            .where(attempt.c.ended_at.is_not(None))
            .order_by(attempt.c.batch_id)
        ).all()
        assert connection.scalar(sa.select(sa.func.count()).select_from(attempt)) == len(rows)
    assert rows == [(1, True, "unknown"), (1, False, "unknown"), (1, False, "unknown")]


def test_database_that_another_process_has_recognized_is_not_held_again(
    original: Home, make_copy: MakeCopy
) -> None:
    """Meanwhile the editor has adopted it and decided about its send."""
    copy = make_copy(original)
    url = "sqlite:///newsletter.db" if copy.file.is_file() else get_url(copy.engine)
    other = copy.at(open_database(url, copy.file.parent))
    identities = list[str]()

    def act_as_the_other_process(_: sa.Connection) -> None:
        if not identities:
            identities.append("")
            unknown = find_unknown_batches(other.ledger, other.send)
            resolve_batches(other.ledger, other.send, unknown, "resend")
            adopt(other.engine)
            identities[0] = get_identity(other.engine)

    # The end of the transaction that compares the identity.
    sa.event.listen(copy.engine, "commit", act_as_the_other_process)
    assert hold_if_copied(copy.engine, original.observer.now) is None
    assert (copy.send.state, copy.states()) == ("paused", {"pending": TOTAL})
    assert find_copy(copy.engine) is None
    assert get_identity(copy.engine) == identities[0]
    other.engine.dispose()


def test_emails_queued_in_the_original_are_not_sent_by_the_copy(
    original: Home, make_copy: MakeCopy
) -> None:
    now, day = original.observer.now, datetime.timedelta(days=1)
    address = parse_address("ada@example.com")
    with original.engine.begin() as connection:
        enqueue_email(connection, "confirm", address, {}, now, day)
    copy = make_copy(original)
    assert copy.send.state == "needs_review"
    assert not has_due_emails(copy.engine, now)
    with copy.engine.begin() as connection:
        assert connection.scalar(sa.select(transactional_email.c.state)) == "unknown"
        # The reader asks again, two days later.
        assert enqueue_email(connection, "confirm", address, {}, now + 2 * day, day)
    assert original.send.state == "frozen"
    assert has_due_emails(original.engine, now)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_number_of_the_last_requests_never_falls(original: Home, make_copy: MakeCopy) -> None:
    original.deliver()
    before = load_mark(original.engine)
    copy = make_copy(original)
    assert copy.send.state == "done"
    after = load_mark(copy.engine)
    assert before is not None
    assert after is not None
    assert after.identity != before.identity
    assert after.high_water == before.high_water > 0
    with read_transaction(copy.engine) as connection:
        query = sa.select(setting.c.value).where(setting.c.key == "database_high_water")
        assert connection.scalar(query) == str(after.high_water)


def make_folder(path: Path) -> None:
    path.mkdir()


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("make_unreadable", [make_folder, make_loop])
def test_mark_that_cannot_be_read_is_an_error_and_holds_nothing(
    original: Home, make_unreadable: Callable[[Path], None]
) -> None:
    original.deliver(1)
    mark = mark_path(original.file)
    kept = mark.rename(mark.with_name("kept"))
    make_unreadable(mark)
    with pytest.raises(DatabaseError, match=r"db\.mark: could not read the file: .* Check"):
        original.deliver()
    mark.rmdir() if mark.is_dir() else mark.unlink()
    kept.rename(mark)
    assert original.states() == {"accepted": 10, "pending": 15}
    original.deliver()
    assert original.states() == {"accepted": TOTAL}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("content", GARBAGE)
def test_file_that_is_no_mark_counts_as_a_copy(original: Home, content: str) -> None:
    original.deliver(1)
    mark_path(original.file).write_text(content)
    assert original.states() == {"accepted": 10, "unknown": 15}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_whoever_may_use_the_database_may_use_its_mark(original: Home) -> None:
    original.file.chmod(0o660)
    if os.geteuid() == 0:
        os.chown(original.file, 1234, 1234)
    original.deliver(1)
    database, mark = original.file.stat(), mark_path(original.file).stat()
    assert (mark.st_mode & 0o777, mark.st_uid) == (0o660, database.st_uid)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_database_that_each_release_links_to_is_no_copy(original: Home, tmp_path: Path) -> None:
    original.engine.dispose()
    original.file.rename(tmp_path / "kept.db")
    mark_path(original.file).rename(tmp_path / "kept.db.mark")
    for number in (1, 2):
        release = tmp_path / f"release-{number}"
        release.mkdir()
        (release / "newsletter.db").symlink_to("../kept.db")
        home = original.at(open_database("sqlite:///newsletter.db", release))
        home.deliver(1)
        home.engine.dispose()
        assert [path.name for path in release.iterdir()] == ["newsletter.db"]
        assert home.states() == {"accepted": 10 * number, "pending": TOTAL - 10 * number}
        home.engine.dispose()


def get_url(engine: sa.Engine) -> str:
    return engine.url.set(drivername="postgresql").render_as_string()


def get_identity(engine: sa.Engine) -> str:
    with read_transaction(engine) as connection:
        key = setting.c.key == "database_identity"
        return str(connection.scalar(sa.select(setting.c.value).where(key)))


def set_identity_text(engine: sa.Engine, value: str) -> None:
    with engine.begin() as connection:
        key = setting.c.key == "database_identity"
        connection.execute(sa.update(setting).where(key).values(value=value))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_same_oids_on_another_server_are_a_copy(original: Home) -> None:
    server, *oids = get_identity(original.engine).split(".")
    assert len(oids) == 2
    set_identity_text(original.engine, ".".join((str(int(server) + 1), *oids)))
    assert original.send.state == "needs_review"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_identity_of_an_earlier_version_is_completed(original: Home) -> None:
    """It has no server."""
    identity = get_identity(original.engine)
    set_identity_text(original.engine, identity.partition(".")[2])
    assert find_copy(original.engine) is None
    assert original.send.state == "frozen"
    assert get_identity(original.engine) == identity
    set_identity_text(original.engine, "1.2")
    assert original.send.state == "needs_review"


@pytest.fixture
def limited(original: Home) -> Iterator[Home]:
    """The database as a role sees it that may not call ``pg_control_system()``."""
    statements = (
        "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC",
        "CREATE ROLE managed LOGIN",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO managed",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO managed",
    )
    with original.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    url = sa.make_url(get_url(original.engine)).set(username="managed")
    engine = open_database(url.render_as_string(), Path())
    yield original.at(engine)
    engine.dispose()
    with original.engine.begin() as connection:
        connection.exec_driver_sql("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
        connection.exec_driver_sql("DROP OWNED BY managed")
        connection.exec_driver_sql("DROP ROLE managed")


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_role_that_may_not_identify_the_server_compares_the_oids(
    original: Home, limited: Home
) -> None:
    identity = get_identity(original.engine)
    assert limited.send.state == "frozen"
    assert get_identity(original.engine) == identity
    with original.engine.begin() as connection:
        connection.execute(sa.delete(setting))
    assert limited.send.state == "frozen"
    assert get_identity(original.engine) == identity.partition(".")[2]
    assert original.send.state == "frozen"
    assert get_identity(original.engine) == identity
    set_identity_text(original.engine, "1.2.3")
    assert limited.send.state == "needs_review"
