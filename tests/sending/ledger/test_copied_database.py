"""A copy of a database neither sends what the original may have sent, nor loses anybody."""

import itertools
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured

from newsletter.db import open_database, read_transaction
from newsletter.db.identity import mark_path
from newsletter.db.schema import batch, event, metadata
from newsletter.db.sqlite_copy import back_up
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.find_sends import find_send, open_ledger
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import PreparedEmail
from newsletter.sending.rehearsal import FakeSendGrid

TOTAL = 25
MakeCopy = Callable[["Home"], "Home"]


class StoppingTransport:
    """Asks the sender to stop after the first request."""

    def __init__(self, mailer: SendGridClient, observer: FakeObserver) -> None:
        self.mailer = mailer
        self.observer = observer

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.observer.stop_requested = True
        return self.mailer.post_mail(body)


@dataclass
class Home:
    """A database with a send, opened as the commands open it."""

    engine: sa.Engine
    prepared: PreparedEmail
    mailer: SendGridClient
    observer: FakeObserver

    @property
    def ledger(self) -> Ledger:
        opened = open_ledger(self.engine, configured())
        return Ledger(opened.engine, clock=lambda _: self.observer.now)

    @property
    def send(self) -> Send:
        return find_send(self.ledger, None)

    @property
    def file(self) -> Path:
        return Path(str(self.engine.url.database))

    def deliver(self, *, one_batch: bool = False) -> None:
        transport = StoppingTransport(self.mailer, self.observer) if one_batch else self.mailer
        BatchSender(
            self.ledger, self.send, self.prepared, transport, self.observer, concurrency=1
        ).run()
        self.observer.stop_requested = False

    def states(self) -> dict[str, int]:
        return count_recipients_by_state(self.ledger, self.send)

    def at(self, engine: sa.Engine) -> "Home":
        return Home(engine, self.prepared, self.mailer, self.observer)


@pytest.fixture
def original(  # noqa: PLR0917 - fixtures
    engine: sa.Engine,
    prepared: PreparedEmail,
    mailer: SendGridClient,
    observer: FakeObserver,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> Home:
    home = Home(engine, prepared, mailer, observer)
    subscribe(make_readers(TOTAL))
    freeze_send(home.ledger, prepared)
    return home


@pytest.fixture
def make_copy(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path
) -> Iterator[MakeCopy]:
    """Return what copies a database to another place, as a restore on another machine does."""
    numbers = itertools.count(1)
    with ExitStack() as cleanup:

        def make(original: Home) -> Home:
            if database_url.startswith("sqlite"):
                folder = tmp_path / f"copy-{next(numbers)}"
                folder.mkdir()
                back_up(original.file, folder / "newsletter.db")
                engine = open_database(database_url, folder)
            else:
                server = request.getfixturevalue("postgres_server")
                name = server.new_database()
                cleanup.callback(server.drop, name)
                engine = open_database(server.url(name), tmp_path)
                copy_rows(original.engine, engine)
            cleanup.callback(engine.dispose)
            return original.at(engine)

        yield make


def copy_rows(source: sa.Engine, target: sa.Engine) -> None:
    """Copy all rows, as a dump that is restored does."""
    with read_transaction(source) as reading, target.begin() as writing:
        for table in metadata.sorted_tables:
            if rows := [dict(row) for row in reading.execute(sa.select(table)).mappings()]:
                writing.execute(sa.insert(table), rows)


def assert_nobody_twice(double: FakeSendGrid) -> None:
    assert len({email.address for email in double.accepted}) == len(double.accepted)


@pytest.mark.parametrize("begun", [False, True])
def test_copy_sends_nothing_that_the_original_may_have_sent(
    original: Home,
    make_copy: MakeCopy,
    double: FakeSendGrid,
    begun: bool,  # noqa: FBT001
) -> None:
    if begun:
        original.deliver(one_batch=True)
    copy = make_copy(original)
    original.deliver()
    assert len(double.accepted) == TOTAL
    accepted = 10 if begun else 0
    expected = {"accepted": accepted, "unknown": TOTAL - accepted}
    assert copy.states() == {state: count for state, count in expected.items() if count}
    assert copy.send.state == "needs_review"
    assert "the database is a copy as of " in copy.send.reason
    copy.deliver()
    assert len(double.accepted) == TOTAL
    assert original.states() == {"accepted": TOTAL}


def test_events_of_the_original_resolve_what_the_copy_holds(
    original: Home, make_copy: MakeCopy, double: FakeSendGrid
) -> None:
    original.deliver(one_batch=True)
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
    original.deliver(one_batch=True)
    copy = make_copy(original)
    unknown = find_unknown_batches(copy.ledger, copy.send)
    assert resolve_batches(copy.ledger, copy.send, unknown, "resend") == "paused"
    copy.deliver()
    assert copy.states() == {"accepted": TOTAL}
    assert len(double.accepted) == TOTAL
    assert_nobody_twice(double)


def test_copy_is_held_once(original: Home, make_copy: MakeCopy, double: FakeSendGrid) -> None:
    copy = make_copy(original)
    unknown = find_unknown_batches(copy.ledger, copy.send)
    resolve_batches(copy.ledger, copy.send, unknown, "resend")
    copy.engine.dispose()
    copy.deliver(one_batch=True)
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
    held: bool,  # noqa: FBT001
) -> None:
    original.deliver(one_batch=True)
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
    original.deliver(one_batch=True)
    back_up(original.file, tmp_path / "before")
    original.deliver()
    original.engine.dispose()
    inode = original.file.stat().st_ino
    shutil.copyfile(tmp_path / "before", original.file)
    assert original.file.stat().st_ino == inode
    assert original.states() == {"accepted": 10, "unknown": 15}
    original.deliver()
    assert_nobody_twice(double)


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
