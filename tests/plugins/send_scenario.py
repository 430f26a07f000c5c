"""Fixture: a frozen send over real sockets to the fake SendGrid, on both databases."""

from collections import Counter
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db.schema import send_recipient
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state, get_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.rehearsal import FakeSendGrid

TOTAL = 25


@dataclass
class SendScenario:
    """A frozen send of 25 recipients in batches of ten, and what is needed to send it."""

    ledger: Ledger
    prepared: PreparedEmail
    mailer: MailTransport
    observer: FakeObserver
    double: FakeSendGrid
    total: int = TOTAL

    def send(self) -> Send:
        send = get_send(self.ledger, self.prepared.email.issue)
        assert send is not None
        return send

    def run(self, transport: MailTransport | None = None) -> Outcome | None:
        """Send, one request at a time."""
        sender = BatchSender(
            self.ledger, self.send(), self.prepared, transport or self.mailer, self.observer,
            lambda: 1.0, concurrency=1, monotonic=self.observer.timestamp,
        )  # fmt: skip
        return sender.run()

    def recipients_by_state(self) -> dict[str, int]:
        return count_recipients_by_state(self.ledger, self.send())

    def state(self) -> tuple[str, dict[str, int]]:
        return self.send().state, self.recipients_by_state()

    def check(self) -> None:
        """Assert that nobody is lost or got it twice, and that the ledger matches what was sent."""
        times = Counter(email.address for email in self.double.accepted)
        assert set(times.values()) <= {1}
        assert sum(self.recipients_by_state().values()) == self.send().total == self.total
        with self.ledger.engine.connect() as connection:
            states = sa.select(send_recipient.c.address_key, send_recipient.c.state)
            state_by_address = dict(connection.execute(states).all())
        assert {state_by_address[address] for address in times} <= {"accepted", "unknown"}
        accepted = {address for address, state in state_by_address.items() if state == "accepted"}
        assert accepted <= times.keys()


@pytest.fixture
def scenario(
    ledger: Ledger,
    prepared: PreparedEmail,
    mailer: MailTransport,
    observer: FakeObserver,
    double: FakeSendGrid,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> SendScenario:
    subscribe(make_readers(TOTAL))
    freeze_send(ledger, prepared)
    return SendScenario(ledger, prepared, mailer, observer, double)
