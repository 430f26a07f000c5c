"""Another version of the program upgrades the database in mid-send: this one claims no more."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from send_scenario import SendScenario
from sending_fixtures import FakeObserver, MakeReaders, Subscribe

from newsletter.db.migrate import HEAD_REVISION
from newsletter.db.schema import VERSION_TABLE
from newsletter.errors import DatabaseError
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.delivery.worker_pool import MailTransport
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


def set_newer_version(engine: sa.Engine) -> None:
    set_version(engine, "9999")


def rename_column(engine: sa.Engine, before: str = "retry_at", after: str = "again_at") -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE batch RENAME COLUMN {before} TO {after}")


@dataclass
class UpgradingTransport:
    """The database is upgraded while the response to the second request is awaited."""

    mailer: MailTransport
    engine: sa.Engine
    upgrade: Callable[[sa.Engine], None]
    requests: int = 0

    def post_mail(self, body: bytes) -> Response | NoResponse:
        self.requests += 1
        if self.requests == 2:
            self.upgrade(self.engine)
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
    transport = UpgradingTransport(mailer, ledger.engine, set_newer_version)
    sender = BatchSender(ledger, send, prepared, transport, observer, concurrency=1)
    try:
        with pytest.raises(
            DatabaseError, match=r"version 9999.* newsletter\. Then.*: newsletter resume ice"
        ):
            sender.run()
    finally:
        set_version(ledger.engine, HEAD_REVISION)
    assert count_recipients_by_state(ledger, send) == {"accepted": 20, "pending": 25}
    sender.run()
    assert count_recipients_by_state(ledger, send) == {"accepted": TOTAL}
    assert len({email.address for email in double.accepted}) == len(double.accepted) == TOTAL


def test_a_column_that_is_missing_is_no_bug_and_the_send_can_be_resumed(
    scenario: SendScenario,
) -> None:
    ledger, total = scenario.ledger, scenario.total
    transport = UpgradingTransport(scenario.mailer, ledger.engine, rename_column)
    with pytest.raises(DatabaseError) as failed:
        scenario.run(transport)
    unrecorded, *others = map(str, failed.value.problems)
    assert "batch 2 was sent, but its outcome could not be recorded" in unrecorded
    assert any("do not fit" in text and "newsletter db upgrade" in text for text in others), others
    rename_column(ledger.engine, "again_at", "retry_at")
    assert scenario.send().state == "running"
    scenario.observer.wait(ledger.lease.total_seconds())
    scenario.run()
    assert scenario.state() == ("needs_review", {"accepted": total - 10, "unknown": 10})
    assert set(Counter(email.address for email in scenario.double.accepted).values()) == {1}
