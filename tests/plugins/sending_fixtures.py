"""Fixtures for sending: email, recipients, fake SendGrid, simulated time."""

import datetime
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db.schema import metadata, subscriber
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG, MergeTag
from newsletter.render.email import Email, NamedAddress
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.payload import prepare_email
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.subscribers import Recipient

NAME = MergeTag("0", "name", "friend", '{{ subscriber.name | default("friend") }}')
CITY = MergeTag("1", "city", "your town", "{{ subscriber.city }}")

MakeReaders = Callable[[int], list[Recipient]]
Subscribe = Callable[[list[Recipient]], None]


@dataclass
class FakeObserver:
    """A simulated clock that advances by waiting, and an observer that records all it is shown.

    Attributes:
        shortest_wait: in seconds; a real wait may also take longer than requested. The sender
            checks once a second whether a lease of five minutes has expired: this saves most of
            the checks.
    """

    now: datetime.datetime = datetime.datetime(2026, 12, 1, 9, 0, tzinfo=datetime.UTC)
    stop_requested: bool = False
    shortest_wait: float = 30.0
    waits: list[float] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    done: int = 0

    def timestamp(self) -> float:
        return self.now.timestamp()

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += datetime.timedelta(seconds=max(seconds, self.shortest_wait))

    def advance(self, recipient_count: int) -> None:
        self.done += recipient_count

    def notify(self, text: str) -> None:
        self.remarks.append(text)


@pytest.fixture
def observer() -> FakeObserver:
    return FakeObserver()


def configured(**settings: Any) -> Config:
    """Return a valid ``Config``; keyword arguments are top-level settings."""
    required: dict[str, Any] = {
        "name": "Harbour Notes",
        "sender": {"name": "Harbour Notes", "address": "editor@harbour-notes.org"},
        "postal_address": "Harbour Notes, 1 Quay Street, Bergen",
        "site_url": "https://harbour-notes.org",
        "public_url": "https://news.harbour-notes.org",
    }
    return Config.model_validate({**required, **settings}, strict=False)


@pytest.fixture
def email() -> Email:
    unsubscribe = UNSUBSCRIBE_TAG.token
    return Email(
        issue="2026-12-01-ice",
        subject=f"The ice let go, {NAME.token('text')}",
        preheader="",
        html=f"<p>Dear {NAME.token('html')},</p>"
        f'<p><a href="https://harbour-notes.org/?c={CITY.token("url")}">{CITY.token("html")}</a>'
        f'<p><a href="{unsubscribe("html")}">Leave</a> <a '
        f'href="{PREFERENCES_TAG.token("html")}">More</a>',
        text=f"Dear {NAME.token('text')},\n\nLeave: {unsubscribe('text')}\n",
        sender=NamedAddress("Harbour Notes", "editor@harbour-notes.org"),
        reply_to=NamedAddress("", "hello@harbour-notes.org"),
        headers=(("List-Id", "Harbour Notes <notes.harbour-notes.org>"), ("Feedback-ID", "ice:hn")),
        merge_tags=(NAME, CITY),
        language="en",
        view_online_url="https://news.harbour-notes.org/issues/ice",
    )


@pytest.fixture
def make_readers() -> MakeReaders:
    def make(count: int) -> list[Recipient]:
        return [
            Recipient(
                number,
                f"reader{number}@example.com",
                f"reader{number}@example.com",
                f"token-{number}",
                {"email": f"reader{number}@example.com", "name": f"Reader {number}"},
            )
            for number in range(1, count + 1)
        ]

    return make


@pytest.fixture
def prepared(email: Email) -> PreparedEmail:
    """The email, prepared in batches of ten."""
    return prepare_email(email, configured(limits={"batch_size": 10}))


@pytest.fixture
def double(observer: FakeObserver) -> Iterator[FakeSendGrid]:
    with FakeSendGrid(clock=observer.timestamp) as sendgrid:
        yield sendgrid


@pytest.fixture
def mailer(double: FakeSendGrid) -> Iterator[SendGridClient]:
    """A client that waits for the fake however busy the machine is.

    A request that the client gave up could be accepted later, at random.
    """
    with closing(make_client(double, read_timeout=60.0)) as client:
        yield client


@pytest.fixture
def impatient_mailer(double: FakeSendGrid) -> Iterator[SendGridClient]:
    """A client that gives up half a second after the request: only for delayed responses."""
    with closing(make_client(double, read_timeout=0.5)) as client:
        yield client


def make_client(double: FakeSendGrid, read_timeout: float) -> SendGridClient:
    options = {"host": double.url, "connect_timeout": 60.0, "read_timeout": read_timeout}
    return SendGridClient(double.key, configured(sendgrid=options).sendgrid)


@pytest.fixture
def ledger(engine: sa.Engine, observer: FakeObserver) -> Ledger:
    """An empty ledger, on SQLite and on PostgreSQL."""
    return Ledger(engine, clock=lambda _: observer.now)


@pytest.fixture
def subscribe(engine: sa.Engine, observer: FakeObserver) -> Subscribe:
    """Add readers to the list as active subscribers."""

    def insert(readers: list[Recipient]) -> None:
        rows = [
            {
                "id": reader.id,
                "address": reader.address,
                "address_key": reader.address_key,
                "name": reader.attributes["name"],
                "status": "active",
                "attributes": {},
                "token": reader.token,
                "joined_at": observer.now,
                "updated_at": observer.now,
            }
            for reader in readers
        ]
        with engine.begin() as connection:
            connection.execute(sa.insert(subscriber), rows)

    return insert


def start_over(engine: sa.Engine, double: FakeSendGrid) -> None:
    """Empty the database and the fake SendGrid, before the next of many examples."""
    double.accepted.clear()
    double.clear_faults()
    with engine.begin() as connection:
        connection.execute(sa.delete(subscriber))  # with their journals
        for table in reversed(metadata.sorted_tables):
            connection.execute(sa.delete(table))
