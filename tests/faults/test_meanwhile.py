"""What happens while a request is in the air: to the editor, the readers, the clock, the disk."""

import datetime
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from sending_fixtures import MakeReaders, Subscribe, World, configured

from newsletter.db.schema import send_recipient, subscriber
from newsletter.errors import DatabaseError, NewsletterError
from newsletter.render.email import Email
from newsletter.sending.delivery.sender import BatchSender
from newsletter.sending.ledger import pause_cancel_retry
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state, get_send
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import PreparedEmail, prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry

TOTAL = 25
HOUR = datetime.timedelta(hours=1)
# The hours that are skipped and repeated in Oslo, in UTC.
SKIPPED = datetime.datetime(2026, 3, 29, 1, 0, tzinfo=datetime.UTC)
REPEATED = datetime.datetime(2026, 10, 25, 1, 0, tzinfo=datetime.UTC)


def nothing() -> None:
    """What mostly happens."""


class Meanwhile:
    """Posts; and while the first request is in the air, something else happens."""

    def __init__(self, mailer: SendGridClient, happens: Callable[[], object]) -> None:
        self.mailer = mailer
        self.happens = happens

    def post_mail(self, body: bytes) -> Response | NoResponse:
        answer = self.mailer.post_mail(body)
        happens, self.happens = self.happens, nothing
        happens()
        return answer


@dataclass
class Stage:
    """A frozen send of 25 readers in batches of ten, and what is needed to send it."""

    ledger: Ledger
    letter: PreparedEmail
    mailer: SendGridClient
    world: World
    double: FakeSendGrid

    @property
    def send(self) -> Send:
        found = get_send(self.ledger, self.letter.email.issue)
        assert found is not None
        return found

    @property
    def readers(self) -> dict[str, int]:
        return count_recipients_by_state(self.ledger, self.send)

    def run(self, meanwhile: Callable[[], object] = nothing) -> None:
        """Send, one request at a time."""
        post = Meanwhile(self.mailer, meanwhile)
        BatchSender(self.ledger, self.send, self.letter, post, self.world, concurrency=1).run()

    def change(self, statement: sa.Update) -> None:
        """Change the list, as another command would."""
        with self.ledger.engine.begin() as connection:
            connection.execute(statement)

    def check(self) -> None:
        """Nobody twice, nobody lost, and nobody has mail whom the ledger doesn't know of."""
        times = Counter(one.address for one in self.double.accepted)
        assert set(times.values()) <= {1}
        assert sum(self.readers.values()) == self.send.total
        with self.ledger.engine.connect() as connection:
            columns = (send_recipient.c.address_key, send_recipient.c.state)
            rows = connection.execute(sa.select(*columns)).all()
        assert {key for key, state in rows if state == "accepted"} <= times.keys()
        assert times.keys() <= {key for key, state in rows if state in {"accepted", "unknown"}}


@pytest.fixture
def stage(  # noqa: PLR0917 - fixtures
    ledger: Ledger,
    letter: PreparedEmail,
    mailer: SendGridClient,
    world: World,
    double: FakeSendGrid,
    subscribe: Subscribe,
    make_readers: MakeReaders,
) -> Stage:
    subscribe(make_readers(TOTAL))
    freeze_send(ledger, letter)
    return Stage(ledger, letter, mailer, world, double)


def test_a_pause_lets_nothing_more_leave_and_the_rest_goes_later(stage: Stage) -> None:
    stage.run(lambda: pause_cancel_retry.pause_send(stage.ledger, stage.send))
    assert (stage.send.state, stage.readers) == ("paused", {"accepted": 10, "pending": 15})
    stage.run()
    assert (stage.send.state, stage.readers) == ("done", {"accepted": TOTAL})
    stage.check()


def test_a_cancel_counts_what_is_in_the_air_and_gives_up_the_rest(stage: Stage) -> None:
    stage.run(lambda: pause_cancel_retry.cancel_send(stage.ledger, stage.send))
    assert (stage.send.state, stage.readers) == ("cancelled", {"accepted": 10, "dropped": 15})
    stage.check()


def test_whoever_leaves_in_mid_send_gets_nothing_if_their_batch_is_still_here(
    stage: Stage,
) -> None:
    leavers = subscriber.c.id.in_((1, 25))
    stage.run(lambda: stage.change(sa.update(subscriber).where(leavers).values(
        status="unsubscribed"
    )))  # fmt: skip
    assert stage.readers == {"accepted": 24, "skipped_late": 1}
    assert "reader25@example.com" not in {one.address for one in stage.double.accepted}
    stage.check()


def test_the_key_is_withdrawn_in_mid_send_and_another_goes_on(stage: Stage) -> None:
    def withdraw() -> None:
        stage.double.key = "SG.another"

    stage.run(withdraw)
    assert (stage.send.state, stage.readers) == ("blocked", {"accepted": 10, "pending": 15})
    stage.double.key = "SG.rehearsal.key"
    stage.run()
    assert stage.readers == {"accepted": TOTAL}
    stage.check()


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps_does_a_lone_sender_no_harm(stage: Stage, hours: int) -> None:
    stage.run(lambda: shift(stage.world, hours))
    assert stage.readers == {"accepted": TOTAL}
    stage.check()


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_jumps_between_two_senders_makes_no_second_copy(
    stage: Stage, hours: int
) -> None:
    def another_comes() -> None:
        shift(stage.world, hours)
        stage.run()

    with pytest.raises(NewsletterError, match="batch 1 had left"):
        stage.run(another_comes)
    assert stage.readers == {"accepted": 15, "unknown": 10}
    stage.check()


@pytest.mark.parametrize(("change", "local"), [(SKIPPED, "03:00:10"), (REPEATED, "02:00:10")])
def test_when_the_clocks_are_changed_a_pause_is_as_long_as_it_was_asked_for(
    stage: Stage, change: datetime.datetime, local: str
) -> None:
    config = stage.letter.config.model_copy(update={"timezone": "Europe/Oslo"})
    stage.letter = replace(stage.letter, config=config)
    stage.world.now = change - datetime.timedelta(seconds=10)
    stage.double.inject_faults(faults.rate_limit_response(change.timestamp() + 10))
    stage.run()
    assert stage.world.waits == [20.0]
    assert local in stage.world.remarks[0]
    assert stage.readers == {"accepted": TOTAL}
    stage.check()


def test_an_answer_in_drips_is_an_answer(stage: Stage) -> None:
    stage.double.inject_faults(
        faults.trickled_response(1.0)
    )  # twice what the sender waits for a piece of it
    stage.run()
    assert stage.readers == {"accepted": TOTAL}
    stage.check()


def test_three_bad_addresses_of_a_thousand_are_set_aside_and_the_rest_sent(  # noqa: PLR0917
    ledger: Ledger, email: Email, mailer: SendGridClient, world: World, double: FakeSendGrid,
    subscribe: Subscribe, make_readers: MakeReaders,
) -> None:  # fmt: skip
    subscribe(make_readers(1000))
    letter = prepare_email(email, configured())
    freeze_send(ledger, letter)
    stage = Stage(ledger, letter, mailer, world, double)
    bad = (0, 500, 999)
    complaints = (ApiErrorEntry("Bad.", f"personalizations.{index}.to.0.email") for index in bad)
    double.inject_faults(InjectedFault(status=400, errors=tuple(complaints)))
    stage.run()
    assert stage.readers == {"accepted": 997, "rejected": 3}
    assert len(double.requests) == 2
    assert {f"reader{index + 1}@example.com" for index in bad}.isdisjoint(
        one.address for one in double.accepted
    )
    stage.check()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_locked_before_the_request_sends_nothing(stage: Stage) -> None:
    with locked(stage) as lock:
        lock()
        with pytest.raises(DatabaseError, match="locked by another program"):
            stage.run()
    assert stage.double.requests == []
    stage.run()
    assert stage.readers == {"accepted": TOTAL}
    stage.check()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_database_locked_after_the_request_makes_it_unknown_and_says_so(stage: Stage) -> None:
    with locked(stage) as lock, pytest.raises(DatabaseError, match="had left") as failed:
        stage.run(lock)
    assert any("locked" in problem.message for problem in failed.value.problems)
    stage.run()
    assert stage.readers == {"accepted": 15, "unknown": 10}
    stage.check()


@contextmanager
def locked(stage: Stage) -> Iterator[Callable[[], object]]:
    """Another program that can lock the database; nobody waits for it as long as in earnest."""
    engine = stage.ledger.engine

    def impatient(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    sa.event.listen(engine, "checkout", impatient)
    with closing(
        sqlite3.connect(str(engine.url.database), isolation_level=None, check_same_thread=False)
    ) as other:
        yield lambda: other.execute("BEGIN IMMEDIATE")


def shift(world: World, hours: int) -> None:
    world.now += hours * HOUR
