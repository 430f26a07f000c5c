"""Another version of the program upgrades the database in mid-send: this one claims no more."""

from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db.migrate import HEAD_REVISION
from newsletter.db.schema import VERSION_TABLE
from newsletter.errors import SendRefusedError
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.record import Ledger, count_recipients_by_state
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid

TOTAL = 45


def set_version(engine: sa.Engine, revision: str) -> None:
    version = sa.table(VERSION_TABLE, sa.column("version_num"))
    with engine.begin() as connection:
        connection.execute(sa.update(version).values(version_num=revision))


@dataclass
class UpgradingTransport:
    """The database is upgraded while the response to the second request is awaited."""

    mailer: SendGridClient
    engine: sa.Engine
    requests: int = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.requests += 1
        if self.requests == 2:
            set_version(self.engine, "9999")
        return self.mailer.post_mail(body)


def test_sender_records_what_is_in_flight_and_claims_no_more(
    ledger: Ledger,
    prepared: PreparedEmail,
    mailer: SendGridClient,
    double: FakeSendGrid,
    observer: FakeObserver,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> None:
    subscribe(make_readers(TOTAL))
    send = freeze_send(ledger, prepared)
    transport = UpgradingTransport(mailer, ledger.engine)
    sender = BatchSender(ledger, send, prepared, transport, observer, concurrency=1)
    try:
        with pytest.raises(SendRefusedError, match=r"to schema version 9999.*on all machines"):
            sender.run()
    finally:
        set_version(ledger.engine, HEAD_REVISION)
    assert count_recipients_by_state(ledger, send) == {"accepted": 20, "pending": 25}
    sender.run()
    assert count_recipients_by_state(ledger, send) == {"accepted": TOTAL}
    assert len({email.address for email in double.accepted}) == len(double.accepted) == TOTAL
