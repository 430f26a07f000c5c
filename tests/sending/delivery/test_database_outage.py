"""The database is locked, or its server gone, for a while in the middle of a send."""

import datetime
import itertools
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db import read_transaction
from newsletter.db.schema import attempt, batch
from newsletter.errors import DatabaseError, DatabaseUnavailableError
from newsletter.sending.delivery.database_outage import LONGEST_TRY_SECONDS, DatabaseOutage
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.ledger.leases import expire_leases
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state, get_send
from newsletter.sending.ledger.resolve import find_unknown_batches, resolve_batches
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
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
    """Cuts the database off while the response to one request is awaited.

    Attributes:
        response: returned for that request, which is not sent then; ``None`` to send it.
    """

    mailer: SendGridClient
    outage: Outage
    at_request: int
    response: Response | NoResponse | None = None
    requests: int = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.requests += 1
        if self.requests == self.at_request:
            self.outage.begin()
            if self.response:
                return self.response
        return self.mailer.post_mail(body)


@dataclass
class RestoringObserver(FakeObserver):
    """Ends the outage after some waits."""

    outage: Outage | None = None
    waits_until_end: int = 1
    stop_at_wait: int = 0
    outage_at: int = -1  # how many recipients are completed then
    seconds_before_outage: int = 0
    outage_has_ended: threading.Event = field(default_factory=threading.Event)

    def advance(self, recipient_count: int) -> None:
        super().advance(recipient_count)
        if self.outage and self.done == self.outage_at:
            self.outage_at = -1
            self.now += datetime.timedelta(seconds=self.seconds_before_outage)
            self.outage.begin()

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        assert len(self.waits) < 50
        if len(self.waits) == self.stop_at_wait:
            self.stop_requested = True
        if len(self.waits) == self.waits_until_end and self.outage:
            self.outage.end()
            self.outage_has_ended.set()


@dataclass
class Scenario:
    """A send of 25 recipients in batches of ten, one request at a time."""

    ledger: Ledger
    prepared: PreparedEmail
    mailer: SendGridClient
    observer: RestoringObserver
    outage: Outage

    def run(self, at_request: int = 1, response: Response | NoResponse | None = None) -> None:
        self.run_with(CuttingTransport(self.mailer, self.outage, at_request, response))

    def run_with(self, transport: MailTransport) -> None:
        BatchSender(
            self.ledger, self.send(), self.prepared, transport, self.observer, concurrency=1,
            monotonic=self.observer.timestamp,
        ).run()  # fmt: skip

    def send(self) -> Send:
        send = get_send(self.ledger, self.prepared.email.issue)
        assert send is not None
        return send

    def recipients_by_state(self) -> dict[str, int]:
        return count_recipients_by_state(self.ledger, self.send())

    def check(self, double: FakeSendGrid) -> None:
        """Assert that everybody has the email once, and that it is on record."""
        assert self.recipients_by_state() == {"accepted": TOTAL}
        assert len({email.address for email in double.accepted}) == len(double.accepted) == TOTAL
        assert self.send().state == "done"


@pytest.fixture
def scenario(
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


WAITS = [1, 2, 4, 8, 15, 30, 30]


@pytest.mark.parametrize("waits", [1, len(WAITS)])
def test_response_is_kept_until_the_database_is_back(
    scenario: Scenario, double: FakeSendGrid, waits: int
) -> None:
    scenario.observer.waits_until_end = waits
    scenario.run(at_request=2)
    scenario.check(double)
    assert scenario.observer.waits == WAITS[:waits]
    begin, end = scenario.observer.remarks
    assert "1 response of SendGrid is kept. Trying again for 90 seconds ..." in begin
    assert end == "the database can be written again; the send continues"


def test_outage_that_lasts_names_what_could_not_be_recorded(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    scenario.observer.waits_until_end = len(WAITS) + 1
    with pytest.raises(DatabaseError, match="batch 1 was sent, but its outcome") as failed:
        scenario.run()
    named, cause = failed.value.problems
    assert "newsletter resolve ice --accepted 1" in named.remedy
    assert "Then continue with: newsletter resume ice" in cause.remedy
    assert scenario.observer.waits == WAITS
    scenario.outage.end()
    scenario.observer.now += scenario.ledger.lease
    scenario.run(at_request=0)
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    assert len({email.address for email in double.accepted}) == len(double.accepted) == TOTAL


def test_outage_between_two_requests_is_not_waited_for_without_end(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    scenario.observer.outage_at = 10
    scenario.observer.waits_until_end = len(WAITS) + 1
    with pytest.raises(DatabaseError) as failed:
        scenario.run(at_request=0)
    assert scenario.observer.waits == WAITS
    (remark,) = scenario.observer.remarks
    assert "Trying again for 90 seconds ..." in remark
    (problem,) = failed.value.problems
    assert "Then continue with: newsletter resume ice" in problem.remedy
    scenario.outage.end()
    scenario.observer.outage_at = -1
    scenario.run(at_request=0)
    scenario.check(double)


def test_outage_between_two_requests_ends_with_the_next_write(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    scenario.observer.outage_at = 10
    scenario.observer.waits_until_end = 2
    scenario.run(at_request=0)
    scenario.check(double)
    assert scenario.observer.waits == WAITS[:2]
    assert scenario.observer.remarks[1:] == [
        "the database can be written again; the send continues"
    ]


@pytest.mark.parametrize(
    ("lease", "request_seconds", "waited"), [(62, 0, 32), (62, 20, 12), (200, 60, 90), (62, 40, 0)]
)
def test_wait_ends_before_the_lease_of_a_kept_response_does(
    scenario: Scenario, lease: int, request_seconds: int, waited: int
) -> None:
    class SlowTransport(CuttingTransport):
        def post_mail(self, body: bytes) -> Response | NoResponse:
            scenario.observer.now += datetime.timedelta(seconds=request_seconds)
            return super().post_mail(body)

    scenario.ledger = replace(scenario.ledger, lease=datetime.timedelta(seconds=lease))
    scenario.observer.waits_until_end = 99
    with pytest.raises(DatabaseError, match="batch 1 was sent, but its outcome"):
        scenario.run_with(SlowTransport(scenario.mailer, scenario.outage, 1))
    assert sum(scenario.observer.waits) == waited
    again = f"for {waited} seconds" if waited else "once more"
    assert f"Trying again {again} ..." in scenario.observer.remarks[0]
    scenario.outage.end()
    if waited:
        scenario.observer.now += datetime.timedelta(seconds=LONGEST_TRY_SECONDS - 1)
        assert expire_leases(scenario.ledger, scenario.send()) == 0


REFUSAL = b'{"errors": [{"message": "The from address is wrong.", "field": "from"}]}'
TOO_LONG = b'{"errors": [{"message": "Too long."}]}'


@pytest.mark.parametrize(
    ("response", "message", "command"),
    [
        (Response(429, {}, b""), "was not sent (HTTP 429)", "resolve ice --resend 1"),
        (
            NoResponse(request_sent=False, reason="no route"),
            "was not sent (no route)",
            "resolve ice --resend 1",
        ),
        (Response(401, {}, b""), "was refused by SendGrid (HTTP 401)", "resolve ice --resend 1"),
        (Response(400, {}, REFUSAL), "(The from address is wrong.)", "resolve ice --resend 1"),
        (Response(413, {}, TOO_LONG), "was refused by SendGrid (Too", "resolve ice --resend 1"),
        (Response(503, {}, b""), "may have been sent (HTTP 503)", "reconcile ice"),
        (
            NoResponse(request_sent=True, reason="timed out"),
            "may have been sent (timed out)",
            "reconcile ice",
        ),
    ],
)
def test_what_could_not_be_recorded_is_named_by_its_outcome(
    scenario: Scenario,
    double: FakeSendGrid,
    response: Response | NoResponse,
    message: str,
    command: str,
) -> None:
    scenario.observer.waits_until_end = 99
    with pytest.raises(DatabaseError) as failed:
        scenario.run(response=response)
    problem = failed.value.problems[0]
    assert message in problem.message
    assert "batch 1 was sent" not in problem.message
    assert command in problem.remedy
    scenario.outage.end()
    # None of these requests has reached the double, so the editor may send the batch again.
    scenario.observer.now += scenario.ledger.lease
    scenario.run(at_request=0)
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    unknown_batches = find_unknown_batches(scenario.ledger, scenario.send(), [1])
    resolve_batches(scenario.ledger, scenario.send(), unknown_batches, "resend")
    scenario.run(at_request=0)
    scenario.check(double)


def test_stop_request_ends_the_wait(scenario: Scenario) -> None:
    scenario.observer.stop_at_wait = 1
    scenario.observer.waits_until_end = 99
    with pytest.raises(DatabaseError, match="batch 1 was sent, but its outcome") as raised:
        scenario.run()
    assert scenario.observer.waits == [WAITS[0]]
    # It could not be paused either, for the same reason, which is given once.
    (cause,) = [
        problem for problem in raised.value.problems if not problem.message.startswith("batch")
    ]
    assert cause.remedy.endswith("newsletter resume ice")


def test_outage_is_announced_in_sentences(observer: FakeObserver) -> None:
    outage = DatabaseOutage(observer, lambda: 0.0)
    outage.wait(DatabaseUnavailableError("is the server running?"), 2, None)
    remark = "2 responses of SendGrid are kept. Trying again for 90 seconds ..."
    assert observer.remarks == [f"is the server running? {remark}"]


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
    "statement", ["fence=(batch.fence + ", "INSERT INTO attempt", "UPDATE attempt", "finished_at="]
)
def test_transaction_of_a_lost_connection_may_be_stored_or_not(
    scenario: Scenario,
    double: FakeSendGrid,
    statement: str,
    in_commit: bool,
) -> None:
    connection = LostConnection(scenario.ledger.engine, statement, in_commit=in_commit)
    scenario.observer.shortest_wait = 30  # until leases have expired
    scenario.run(at_request=0)
    assert connection.done
    scenario.check(double)
    with read_transaction(scenario.ledger.engine) as reading:
        assert set(reading.scalars(sa.select(batch.c.state))) == {"accepted"}
        assert not reading.scalars(sa.select(attempt).where(attempt.c.ended_at.is_(None))).all()


def test_connection_lost_after_a_stop_request_does_not_lose_the_response(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    class StoppingTransport(CuttingTransport):
        def post_mail(self, body: bytes) -> Response | NoResponse:
            scenario.observer.stop_requested = True
            return super().post_mail(body)

    LostConnection(scenario.ledger.engine, "UPDATE attempt", in_commit=False)
    scenario.run_with(StoppingTransport(scenario.mailer, scenario.outage, 0))
    assert scenario.observer.waits == []
    assert "Trying again once more ..." in scenario.observer.remarks[0]
    assert scenario.recipients_by_state() == {"accepted": 10, "pending": 15}
    assert scenario.send().state == "paused"
    scenario.observer.stop_requested = False
    scenario.run(at_request=0)
    scenario.check(double)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_database_that_becomes_read_only_ends_the_send(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    """An error that does not pass is not waited for, and names what is open."""

    def make_read_only(connection: sqlite3.Connection, *_: object) -> None:
        if scenario.observer.waits:
            connection.execute("PRAGMA query_only = ON")

    engine = scenario.ledger.engine
    sa.event.listen(engine, "checkout", make_read_only)
    LostConnection(engine, "INSERT INTO attempt", in_commit=True)
    with pytest.raises(DatabaseError, match="batch 1 was not sent, but may be on") as failed:
        scenario.run(at_request=0)
    assert failed.value.problems[-1].message == "the database is read-only"
    assert double.requests == []


@dataclass
class RenewingTransport:
    """Responds only once the lease of its batch has been renewed after the outage."""

    mailer: SendGridClient
    ledger: Ledger
    observer: RestoringObserver
    lease_ends: list[datetime.datetime] = field(default_factory=list)

    def post_mail(self, body: bytes) -> Response | NoResponse:
        for _ in range(3_000):
            if self.observer.outage_has_ended.is_set() and self._is_renewed():
                break
            self.observer.outage_has_ended.wait(0.01)
        return self.mailer.post_mail(body)

    def _is_renewed(self) -> bool:
        lease_until = sa.select(batch.c.lease_until).where(batch.c.state == "in_flight")
        with read_transaction(self.ledger.engine) as connection:
            self.lease_ends += connection.scalars(lease_until)
        return self.lease_ends[-1:] == [self.observer.now + self.ledger.lease]


def test_leases_are_renewed_once_the_database_is_back(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    scenario.observer.outage_at = 0  # the first request is in flight
    scenario.observer.seconds_before_outage = 120
    transport = RenewingTransport(scenario.mailer, scenario.ledger, scenario.observer)
    scenario.run_with(transport)
    scenario.check(double)
    assert scenario.observer.waits == WAITS[:1]
    begin = scenario.observer.remarks[0]
    assert "kept" not in begin
    assert transport.lease_ends[-1] == scenario.observer.now + scenario.ledger.lease


def test_sessions_that_end_are_replaced_without_a_wait(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    """The server restarts, or a pooler closes its connections, while a response is awaited."""

    class BriefOutage(CuttingTransport):
        def post_mail(self, body: bytes) -> Response | NoResponse:
            response = super().post_mail(body)
            self.outage.end()
            return response

    scenario.run_with(BriefOutage(scenario.mailer, scenario.outage, 2))
    scenario.check(double)
    assert scenario.observer.remarks == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_send_is_finished_once_the_database_is_back(
    scenario: Scenario, double: FakeSendGrid
) -> None:
    cut = False

    def begin_outage(*arguments: object) -> None:
        nonlocal cut
        if "finished_at=" in str(arguments[2]) and not cut:
            cut = True
            scenario.outage.begin()

    sa.event.listen(scenario.ledger.engine, "before_cursor_execute", begin_outage)
    scenario.observer.waits_until_end = 2
    scenario.run(at_request=0)
    scenario.check(double)
    assert cut
    assert scenario.observer.waits == WAITS[:2]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("point", [1, 2, 3, 4, 5, 8])
def test_connection_lost_at_any_point_ends_no_send(
    scenario: Scenario, double: FakeSendGrid, engine: sa.Engine, postgres_server: Any, point: int
) -> None:
    checkouts = itertools.count()  # the first one is of the scenario, which reads the send

    def cut(connection: Any, *_: object) -> None:
        if next(checkouts) == point:
            with postgres_server.connected("postgres") as other:
                end = sa.func.pg_terminate_backend(connection.info.backend_pid, 10_000)
                assert other.scalar(sa.select(end))

    sa.event.listen(engine, "checkout", cut)
    scenario.run(at_request=0)
    assert next(checkouts) > point
    scenario.check(double)
