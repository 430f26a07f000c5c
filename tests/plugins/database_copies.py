"""Fixtures: a database that is sent from, and copies of it in other places."""

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from postgres_server import Server
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured

from newsletter.db import open_database
from newsletter.db.sqlite_copy import back_up
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.ledger.copied_database import hold_if_copied
from newsletter.sending.ledger.find_sends import find_send, open_ledger
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient

TOTAL = 25  # readers


class CopiedPlace(NamedTuple):
    """Where a copy of a database is: its URL, and the folder that the URL is relative to."""

    url: str
    folder: Path


class StoppingTransport:
    """Asks the sender to stop after a number of requests."""

    def __init__(self, mailer: MailTransport, observer: FakeObserver, requests: int) -> None:
        self.mailer = mailer
        self.observer = observer
        self.requests = requests

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.requests -= 1
        self.observer.stop_requested = self.requests <= 0
        return self.mailer.post_mail(body)


@dataclass
class Home:
    """A database with the sends of an issue, opened as the commands open it."""

    engine: sa.Engine
    prepared: PreparedEmail
    mailer: MailTransport
    observer: FakeObserver

    @property
    def ledger(self) -> Ledger:
        opened = open_ledger(self.engine, configured())
        return Ledger(opened.engine, clock=lambda _: self.observer.now)

    @property
    def send(self) -> Send:
        return find_send(self.ledger, self.prepared.email.issue)

    @property
    def file(self) -> Path:
        return Path(str(self.engine.url.database))

    def plan(self) -> None:
        freeze_send(self.ledger, self.prepared)

    def deliver(self, requests: int = 1_000) -> None:
        """Send, one request at a time, until so many were made."""
        transport = StoppingTransport(self.mailer, self.observer, requests)
        try:
            BatchSender(
                self.ledger, self.send, self.prepared, transport, self.observer, concurrency=1
            ).run()
        finally:
            self.observer.stop_requested = False

    def states(self) -> dict[str, int]:
        return count_recipients_by_state(self.ledger, self.send)

    def at(self, engine: sa.Engine) -> "Home":
        return replace(self, engine=engine)

    def of_issue(self, issue: str) -> "Home":
        email = replace(self.prepared.email, issue=issue)
        return replace(self, prepared=replace(self.prepared, email=email))


@pytest.fixture
def home(
    engine: sa.Engine,
    prepared: PreparedEmail,
    mailer: SendGridClient,
    observer: FakeObserver,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> Home:
    """A planned send to ``TOTAL`` readers, in batches of ten."""
    home = Home(engine, prepared, mailer, observer)
    subscribe(make_readers(TOTAL))
    assert not hold_if_copied(engine, observer.now)
    home.plan()
    return home


@pytest.fixture
def copy_database(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[sa.Engine], CopiedPlace]]:
    """Return what copies a database to another place, as a restore on another machine does."""
    numbers = itertools.count(1)
    with ExitStack() as cleanup:

        def copy(source: sa.Engine) -> CopiedPlace:
            if source.dialect.name == "sqlite":
                folder = tmp_path / f"copy-{next(numbers)}"
                folder.mkdir()
                back_up(Path(str(source.url.database)), folder / "newsletter.db")
                return CopiedPlace("sqlite:///newsletter.db", folder)
            server = request.getfixturevalue("postgres_server")
            name = server.new_database()
            cleanup.callback(server.drop, name)
            dump_and_restore(server, str(source.url.database), name)
            return CopiedPlace(server.url(name), tmp_path)

        yield copy


@pytest.fixture
def make_copy(
    copy_database: Callable[[sa.Engine], CopiedPlace],
) -> Iterator[Callable[[Home], Home]]:
    """Return what copies a home; nothing has opened the copy as a command does."""
    with ExitStack() as cleanup:

        def make(original: Home) -> Home:
            engine = open_database(*copy_database(original.engine))
            cleanup.callback(engine.dispose)
            return original.at(engine)

        yield make


def dump_and_restore(server: Server, source: str, target: str) -> None:
    """Copy a database by PostgreSQL's own tools, as ``newsletter backup`` tells editors to."""
    programs = (server.programs / "initdb").resolve().parent  # on PATH there may be only a link
    dump = subprocess.run(
        [programs / "pg_dump", "--no-owner", f"--dbname={server.url(source)}"],
        capture_output=True,
        check=True,
    ).stdout
    subprocess.run(
        [programs / "psql", "--quiet", "--set=ON_ERROR_STOP=1", server.url(target)],
        input=dump,
        stdout=subprocess.DEVNULL,
        check=True,
    )
