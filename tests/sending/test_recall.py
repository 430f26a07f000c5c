"""A recall while requests are on their way to SendGrid, or with a clock that was set back."""

import datetime
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured

from newsletter.db.schema import batch
from newsletter.errors import NothingToDoError, ProviderError, SendRefusedError
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger.record import Ledger, Send, get_send
from newsletter.sending.ledger.send_phase import get_send_phase
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.planning.frozen_content import load_prepared_email
from newsletter.sending.planning.send_schedule import SendSchedule, save_schedule
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.scheduled_sends import create_batch_id
from newsletter.sending.recall import cancel_locally, recall_send

CONFIG = configured(limits={"batch_size": 10})
TOTAL = 25


@dataclass
class HeldSend:
    """A send of 25 recipients in batches of ten, which SendGrid is to hold for an hour."""

    ledger: Ledger
    mailer: SendGridClient
    observer: FakeObserver
    issue: str

    @property
    def send(self) -> Send:
        send = get_send(self.ledger, self.issue)
        assert send is not None
        return send

    @property
    def phase(self) -> str:
        return get_send_phase(self.send, self.observer.now)

    def run(self, transport: object = None) -> None:
        prepared = load_prepared_email(self.ledger, self.send, CONFIG)
        used = transport or self.mailer
        BatchSender(
            self.ledger,
            self.send,
            prepared,
            used,  # type: ignore[arg-type]
            self.observer,
            concurrency=1,
        ).run()

    def cancel(self) -> None:
        cancellation = cancel_locally(self.ledger, self.send, CONFIG)
        if cancellation.is_recallable:
            recall_send(self.ledger, cancellation.send, self.mailer)


@pytest.fixture
def held(
    ledger: Ledger,
    prepared: PreparedEmail,
    mailer: SendGridClient,
    observer: FakeObserver,
    make_readers: MakeReaders,
    subscribe: Subscribe,
) -> HeldSend:
    subscribe(make_readers(TOTAL))
    schedule = SendSchedule(observer.now + datetime.timedelta(hours=1), 0, create_batch_id(mailer))
    frozen = save_schedule(ledger, freeze_send(ledger, prepared), schedule)
    return HeldSend(ledger, mailer, observer, frozen.issue)


def test_requests_on_their_way_are_recalled_by_asking_again(held: HeldSend) -> None:
    class CancelledMeanwhile:
        """A transport during whose request another command cancels the send."""

        def post_mail(self, body: bytes) -> Response | NoResponse:
            with pytest.raises(ProviderError, match="10 readers were on their way"):
                held.cancel()
            return held.mailer.post_mail(body)

    held.run(CancelledMeanwhile())
    assert held.phase == "uncertain"
    assert "10 readers" in held.send.reason
    held.cancel()
    assert held.phase == "recalled"
    with pytest.raises(NothingToDoError, match="cancelled already"):
        held.cancel()


def test_request_of_a_dead_sender_is_no_longer_on_its_way(held: HeldSend) -> None:
    held.run()
    with held.ledger.engine.begin() as connection:
        expired = {"state": "in_flight", "lease_until": held.observer.now}
        connection.execute(sa.update(batch).where(batch.c.number == 1).values(expired))
    held.cancel()
    assert held.phase == "recalled"


def test_clock_that_was_set_back_makes_no_late_recall_an_early_one(held: HeldSend) -> None:
    held.observer.now += datetime.timedelta(minutes=55)
    held.run()
    held.observer.now -= datetime.timedelta(minutes=55)
    with pytest.raises(ProviderError, match="less than 10 minutes"):
        held.cancel()
    assert held.phase == "uncertain"
    with pytest.raises(SendRefusedError, match="may still go out"):
        held.cancel()


def test_send_of_which_nothing_was_handed_over_needs_no_recall(held: HeldSend) -> None:
    held.cancel()
    assert held.phase == "cancelled"
    assert held.send.provider_batch_id == ""
