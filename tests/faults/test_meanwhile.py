"""Events during a request: pause, cancel, unsubscribing, clock changes, a locked database."""

import datetime
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa
from send_scenario import TOTAL, SendScenario
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured, make_client

from newsletter.db.schema import subscriber
from newsletter.errors import DatabaseError, NewsletterError
from newsletter.render.email import Email
from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry

HOUR = datetime.timedelta(hours=1)
# The hours that are skipped and repeated in Oslo, in UTC.
SKIPPED = datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.UTC)
REPEATED = datetime.datetime(2026, 10, 25, 1, 0, tzinfo=datetime.UTC)


class InterruptedTransport:
    """A transport that runs an action during its first request."""

    def __init__(self, mailer: MailTransport, action: Callable[[], object]) -> None:
        self.mailer = mailer
        self.actions = [action]

    def post_mail(self, body: bytes) -> Response | NoResponse:
        response = self.mailer.post_mail(body)
        if self.actions:
            self.actions.pop()()
        return response


def run(scenario: SendScenario, meanwhile: Callable[[], object]) -> None:
    scenario.run(InterruptedTransport(scenario.mailer, meanwhile))


def test_paused_send_is_resumed_with_the_rest(scenario: SendScenario) -> None:
    run(scenario, lambda: pause_cancel_retry.pause_send(scenario.ledger, scenario.send()))
    assert scenario.state() == ("paused", {"accepted": 10, "pending": 15})
    scenario.run()
    assert scenario.state() == ("done", {"accepted": TOTAL})
    scenario.check()


def test_cancelling_records_the_request_in_flight_and_drops_the_rest(
    scenario: SendScenario,
) -> None:
    run(scenario, lambda: pause_cancel_retry.cancel_send(scenario.ledger, scenario.send()))
    assert scenario.state() == ("cancelled", {"accepted": 10, "dropped": 15})
    scenario.check()


def test_recipient_who_unsubscribes_before_their_batch_is_claimed_is_skipped(
    scenario: SendScenario,
) -> None:
    unsubscribe = (
        sa.update(subscriber).where(subscriber.c.id.in_((1, 25))).values(status="unsubscribed")
    )
    run(scenario, lambda: change(scenario, unsubscribe))
    assert scenario.recipients_by_state() == {"accepted": 24, "skipped_late": 1}
    assert "reader25@example.com" not in {email.address for email in scenario.double.accepted}
    scenario.check()


def test_revoked_key_blocks_the_send_until_it_is_resumed_with_another(
    scenario: SendScenario,
) -> None:
    def revoke_key() -> None:
        scenario.double.key = "SG.another"

    run(scenario, revoke_key)
    assert scenario.state() == ("blocked", {"accepted": 10, "pending": 15})
    scenario.double.key = "SG.rehearsal.key"
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


@pytest.mark.parametrize("hours", [1, -1])
def test_clock_change_does_not_affect_a_single_sender(scenario: SendScenario, hours: int) -> None:
    run(scenario, lambda: move_clock(scenario.observer, hours))
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


@pytest.mark.parametrize("hours", [1, -1])
def test_clock_change_between_two_senders_duplicates_nothing(
    scenario: SendScenario, hours: int
) -> None:
    def run_another_sender() -> None:
        move_clock(scenario.observer, hours)
        scenario.run()

    with pytest.raises(NewsletterError, match="batch 1 was sent, but"):
        run(scenario, run_another_sender)
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    scenario.check()


@pytest.mark.parametrize(("change", "local"), [(SKIPPED, "03:00:10"), (REPEATED, "02:00:10")])
def test_daylight_saving_time_does_not_change_the_length_of_a_pause(
    scenario: SendScenario, change: datetime.datetime, local: str
) -> None:
    config = scenario.prepared.config.model_copy(update={"timezone": "Europe/Oslo"})
    scenario.prepared = replace(scenario.prepared, config=config)
    scenario.observer.now = change - datetime.timedelta(seconds=10)
    scenario.double.inject_faults(faults.rate_limit_response(change.timestamp() + 10))
    scenario.run()
    assert scenario.observer.waits == [20.0]
    assert local in scenario.observer.remarks[0]
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


def test_slow_response_in_small_pieces_is_accepted(scenario: SendScenario) -> None:
    # In total it takes longer than the sender waits for each of its ten pieces.
    scenario.double.inject_faults(faults.trickled_response(2.5))
    with closing(make_client(scenario.double, read_timeout=2.0)) as scenario.mailer:
        scenario.run()
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


def test_three_bad_addresses_of_a_thousand_are_rejected_and_the_rest_is_sent(
    ledger: Ledger,
    email: Email,
    mailer: SendGridClient,
    observer: FakeObserver,
    double: FakeSendGrid,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> None:
    subscribe(make_readers(1000))
    prepared = prepare_email(email, configured())
    freeze_send(ledger, prepared)
    scenario = SendScenario(ledger, prepared, mailer, observer, double, total=1000)
    bad = (0, 500, 999)
    errors = tuple(ApiErrorEntry("Bad.", f"personalizations.{index}.to.0.email") for index in bad)
    double.inject_faults(InjectedFault(status=400, errors=errors))
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": 997, "rejected": 3}
    assert len(double.requests) == 2
    assert {f"reader{index + 1}@example.com" for index in bad}.isdisjoint(
        email.address for email in double.accepted
    )
    scenario.check()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_database_locked_before_the_request_sends_nothing(scenario: SendScenario) -> None:
    with locked(scenario) as lock:
        lock()
        with pytest.raises(DatabaseError, match="locked by another program"):
            scenario.run()
    assert scenario.double.requests == []
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": TOTAL}
    scenario.check()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_database_locked_after_the_request_makes_the_batch_unknown_and_is_reported(
    scenario: SendScenario,
) -> None:
    with locked(scenario) as lock, pytest.raises(DatabaseError, match="was sent, but") as failed:
        run(scenario, lock)
    assert any("locked" in problem.message for problem in failed.value.problems)
    scenario.run()
    assert scenario.recipients_by_state() == {"accepted": 15, "unknown": 10}
    scenario.check()


def change(scenario: SendScenario, statement: sa.Update) -> None:
    """Change the list, as another command would."""
    with scenario.ledger.engine.begin() as connection:
        connection.execute(statement)


@contextmanager
def locked(scenario: SendScenario) -> Iterator[Callable[[], object]]:
    """Yield a function that locks the database as another program would; shorten busy timeouts."""
    engine = scenario.ledger.engine

    def shorten_timeout(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    sa.event.listen(engine, "checkout", shorten_timeout)
    with closing(
        sqlite3.connect(str(engine.url.database), isolation_level=None, check_same_thread=False)
    ) as other:
        yield lambda: other.execute("BEGIN IMMEDIATE")


def move_clock(observer: FakeObserver, hours: int) -> None:
    observer.now += hours * HOUR
