"""The database is locked, or its server gone, for a while in the middle of a send."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db import read_transaction
from newsletter.db.schema import attempt, batch
from newsletter.errors import DatabaseError, DatabaseUnavailableError
from newsletter.sending.delivery.database_outage import DELAYS
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.record import Ledger, count_recipients_by_state, get_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import PreparedEmail
from newsletter.sending.rehearsal import FakeSendGrid

TOTAL = 25


class Outage:
    """Makes the database unavailable: another program locks the file; or all sessions end."""

    def __init__(self, engine: sa.Engine, server: sa.Engine | None) -> None:
        self._engine = engine
        self._server = server
        self._name = engine.url.database
        self._locks: list[sqlite3.Connection] = []
        if server is None:
            sa.event.listen(engine, "checkout", self._shorten_timeout)

    def begin(self) -> None:
        if self._server is None:
            other = sqlite3.connect(str(self._name), isolation_level=None, check_same_thread=False)
            other.execute("BEGIN IMMEDIATE")
            self._locks.append(other)
            return
        with self._server.connect() as connection:
            connection.exec_driver_sql(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
            sessions = sa.table("pg_stat_activity", sa.column("pid"), sa.column("datname"))
            ended = sa.select(sa.func.pg_terminate_backend(sessions.c.pid, 10_000))
            connection.execute(ended.where(sessions.c.datname == self._name))

    def end(self) -> None:
        for lock in self._locks:
            lock.close()
        self._locks.clear()
        if self._server is not None:
            with self._server.connect() as connection:
                connection.exec_driver_sql(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def _shorten_timeout(self, connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50")


@pytest.fixture
def outage(engine: sa.Engine) -> Iterator[Outage]:
    if engine.dialect.name == "sqlite":
        outage = Outage(engine, None)
        yield outage
        outage.end()
        return
    server = sa.create_engine(
        engine.url.set(database="postgres"), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    outage = Outage(engine, server)
    yield outage
    outage.end()


@dataclass
class CuttingTransport:
    """Cuts the database off during one request, or after the last byte of the response."""

    mailer: SendGridClient
    outage: Outage
    at_request: int
    requests: int = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.requests += 1
        response = self.mailer.post_mail(body)
        if self.requests == self.at_request:
            self.outage.begin()
        return response


@dataclass
class RestoringObserver(FakeObserver):
    """Ends the outage after some waits."""

    outage: Outage | None = None
    waits_until_end: int = 1
    stop_at_wait: int = 0

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        if len(self.waits) == self.stop_at_wait:
            self.stop_requested = True
        if len(self.waits) == self.waits_until_end and self.outage:
            self.outage.end()


@dataclass
class Scenario:
    """A send of 25 recipients in batches of ten, one request at a time."""

    ledger: Ledger
    prepared: PreparedEmail
    mailer: SendGridClient
    observer: RestoringObserver
    outage: Outage

    def run(self, at_request: int = 1) -> None:
        send = get_send(self.ledger, self.prepared.email.issue)
        assert send is not None
        transport = CuttingTransport(self.mailer, self.outage, at_request)
        BatchSender(self.ledger, send, self.prepared, transport, self.observer, concurrency=1).run()

    def recipients_by_state(self) -> dict[str, int]:
        send = get_send(self.ledger, self.prepared.email.issue)
        assert send is not None
        return count_recipients_by_state(self.ledger, send)


@pytest.fixture
def scenario(  # noqa: PLR0917 - fixtures
    engine: sa.Engine,
    prepared: PreparedEmail,
    mailer: SendGridClient,
    outage: Outage,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> Scenario:
    observer = RestoringObserver(outage=outage, shortest_wait=0)
    ledger = Ledger(engine, clock=lambda _: observer.now)
    subscribe(make_readers(TOTAL))
    freeze_send(ledger, prepared)
    return Scenario(ledger, prepared, mailer, observer, outage)


@pytest.mark.parametrize("waits", [1, len(DELAYS)])
def test_response_is_kept_until_the_database_is_back(
    scenario: Scenario, double: FakeSendGrid, waits: int
) -> None:
    scenario.observer.waits_until_end = waits
    scenario.run(at_request=2)
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    assert len({email.address for email in double.accepted}) == len(double.accepted) == TOTAL
    assert scenario.observer.waits == list(DELAYS[:waits])
    begin, end = scenario.observer.remarks
    assert "1 responses of SendGrid are kept. Trying again for" in begin
    assert end == "the database can be written again; the send continues"


def test_outage_that_lasts_names_what_could_not_be_recorded(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    scenario.observer.waits_until_end = len(DELAYS) + 1
    with pytest.raises(DatabaseError, match="batch 1 was sent, but its outcome") as failed:
        scenario.run()
    assert "Then continue with: newsletter resume ice" in str(failed.value.problems[-1])
    assert scenario.observer.waits == list(DELAYS)
    scenario.outage.end()
    scenario.observer.now += scenario.ledger.lease
    scenario.run(at_request=0)
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    assert len({email.address for email in double.accepted}) == len(double.accepted) == TOTAL


def test_stop_request_ends_the_wait(scenario: Scenario) -> None:
    scenario.observer.stop_at_wait = 1
    scenario.observer.waits_until_end = 99
    with pytest.raises(DatabaseError, match="batch 1 was sent, but its outcome"):
        scenario.run()
    assert scenario.observer.waits == [DELAYS[0]]


class LostConnection:
    """Loses the connection at the end of the first transaction with a certain statement.

    Args:
        engine: the database.
        statement: a part of it.
        in_commit: the transaction is stored, but the program never learns it; otherwise it isn't.
    """

    def __init__(self, engine: sa.Engine, statement: str, *, in_commit: bool) -> None:
        self.done = False
        self._statement, self._in_commit, self._armed = statement, in_commit, False
        sa.event.listen(engine, "before_cursor_execute", self._watch)
        sa.event.listen(engine, "commit", self._lose)

    def _watch(self, *arguments: object) -> None:
        self._armed = self._armed or self._statement in str(arguments[2])

    def _lose(self, connection: sa.Connection) -> None:
        if self.done or not self._armed:
            return
        self.done = True
        if self._in_commit:
            connection.exec_driver_sql("COMMIT")
        raise DatabaseUnavailableError("the connection was lost")


@pytest.mark.parametrize("in_commit", [False, True])
@pytest.mark.parametrize(
    "statement", ["fence=(batch.fence + ", "INSERT INTO attempt", "UPDATE attempt"]
)
def test_transaction_of_a_lost_connection_may_be_stored_or_not(
    scenario: Scenario,
    double: FakeSendGrid,
    statement: str,
    in_commit: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    connection = LostConnection(scenario.ledger.engine, statement, in_commit=in_commit)
    scenario.observer.shortest_wait = 30  # until leases have expired
    scenario.run(at_request=0)
    assert connection.done
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    assert len({email.address for email in double.accepted}) == len(double.accepted) == TOTAL
    with read_transaction(scenario.ledger.engine) as reading:
        assert set(reading.scalars(sa.select(batch.c.state))) == {"accepted"}
        assert not reading.scalars(sa.select(attempt).where(attempt.c.ended_at.is_(None))).all()
