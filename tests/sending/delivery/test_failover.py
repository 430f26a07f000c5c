"""The database of a running send fails over to another PostgreSQL server."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from postgres_server import DISCONNECT_OTHERS, Server
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.record import Ledger, count_recipients_by_state
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid

TOTAL = 25


@dataclass
class VirtualAddress:
    """The address that clients know: it leads to one of two servers."""

    path: Path
    primary: Server
    standby: Server
    database: str

    def point_to(self, server: Server) -> None:
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(server.folder)

    def fail_over(self) -> None:
        """Lead to a server that is not promoted yet, as the other one shuts down."""
        self.point_to(self.standby)
        with self.primary.connected(self.database) as connection:
            connection.exec_driver_sql(DISCONNECT_OTHERS)


@pytest.fixture
def address(
    postgres_server: Server, standby_server: Server, postgres_url: str
) -> Iterator[VirtualAddress]:
    database = str(sa.make_url(postgres_url).database)
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        address = VirtualAddress(Path(folder) / "ip", postgres_server, standby_server, database)
        address.point_to(postgres_server)
        yield address


@pytest.fixture
def database_url(address: VirtualAddress) -> str:
    return f"postgresql://postgres@/{address.database}?host={address.path}"


@dataclass
class FailingOverTransport:
    """The database fails over while the response to the second request is awaited."""

    mailer: SendGridClient
    address: VirtualAddress
    requests: int = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.requests += 1
        if self.requests == 2:
            self.address.fail_over()
        return self.mailer.post_mail(body)


@dataclass
class PromotingObserver(FakeObserver):
    """At the second wait the address leads to a server that accepts changes."""

    address: VirtualAddress | None = None

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        if len(self.waits) == 2 and self.address:
            self.address.point_to(self.address.primary)


def test_sender_waits_for_the_promotion_and_connects_again(
    engine: sa.Engine,
    address: VirtualAddress,
    prepared: PreparedEmail,
    mailer: SendGridClient,
    double: FakeSendGrid,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> None:
    observer = PromotingObserver(shortest_wait=0, address=address)
    ledger = Ledger(engine, clock=lambda _: observer.now)
    subscribe(make_readers(TOTAL))
    send = freeze_send(ledger, prepared)
    BatchSender(
        ledger,
        send,
        prepared,
        FailingOverTransport(mailer, address),
        observer,
        concurrency=1,
        monotonic=observer.timestamp,
    ).run()
    assert observer.waits == [1, 2]
    assert "a failover is under way. 1 response of SendGrid is kept." in observer.remarks[0]
    assert count_recipients_by_state(ledger, send) == {"accepted": TOTAL}
    assert len({email.address for email in double.accepted}) == len(double.accepted) == TOTAL
