"""Single changes of a subscriber, on SQLite and on PostgreSQL."""

import datetime
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.db import open_database, read_transaction
from newsletter.db.schema import subscriber, suppression
from newsletter.errors import SubscriberListError
from newsletter.subscribers import iter_audience
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, journal
from newsletter.subscribers.consent.changes import ChangeResult
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin, JournalEntry
from newsletter.subscribers.importing.import_list import ImportSummary

ImportText = Callable[..., ImportSummary]

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(days=1)
FORM = ChangeOrigin(NOW, "form", "https://harbour-notes.org/join", "Send me the newsletter, weekly")
WEBHOOK = ChangeOrigin(LATER, "webhook", "event 1")
LETTER = ChangeOrigin(LATER, "cli", wording="asked by letter on 3 May")
ADA = parse_address("Ada@example.com")


class SubscriberList:
    """The list, with one transaction per action."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def subscribe(
        self, status: str = "active", origin: ChangeOrigin = FORM, **options: str
    ) -> ChangeResult:
        with self.engine.begin() as connection:
            return changes.subscribe(connection, ADA, status, origin, **options)

    def resubscribe(self, status: str = "active", origin: ChangeOrigin = LETTER) -> ChangeResult:
        with self.engine.begin() as connection:
            return changes.resubscribe(connection, ADA, status, origin)

    def apply(
        self, change: Any, origin: ChangeOrigin = WEBHOOK, **options: int
    ) -> ChangeResult | None:
        with self.engine.begin() as connection:
            changed: ChangeResult | None = change(connection, ADA.key, origin, **options)
            return changed

    def ada(self) -> dict[str, Any]:
        with read_transaction(self.engine) as connection:
            query = sa.select(subscriber).where(subscriber.c.address_key == ADA.key)
            return dict(connection.execute(query).mappings().one())

    def entries(self) -> list[JournalEntry]:
        with read_transaction(self.engine) as connection:
            return journal.load_journal(connection, self.ada()["id"])

    def audience(self) -> list[str]:
        with read_transaction(self.engine) as connection:
            return [recipient.address for recipient in iter_audience(connection)]


@pytest.fixture
def subscriber_list(engine: sa.Engine) -> SubscriberList:
    return SubscriberList(engine)


def suppress(engine: sa.Engine) -> None:
    row = {"address_key": ADA.key, "reason": "bounced", "since": NOW, "source": "a test"}
    with engine.begin() as connection:
        connection.execute(sa.insert(suppression).values(row))


def test_subscriber_is_pending_until_confirmed(subscriber_list: SubscriberList) -> None:
    id_, before, after = subscriber_list.subscribe("pending", name="Ada")
    assert (before, after, subscriber_list.audience()) == (None, "pending", [])
    ada = subscriber_list.ada()
    assert (ada["id"], ada["address"], ada["name"]) == (id_, "Ada@example.com", "Ada")
    assert (ada["joined_at"], ada["confirmed_at"]) == (NOW, None)
    assert ada["source"] == "form https://harbour-notes.org/join"
    confirmed = subscriber_list.apply(changes.confirm, ChangeOrigin(LATER, "form", "the link"))
    assert confirmed == (id_, "pending", "active")
    assert (subscriber_list.ada()["confirmed_at"], subscriber_list.audience()) == (
        LATER,
        ["Ada@example.com"],
    )
    assert subscriber_list.entries() == [
        JournalEntry(NOW, "subscribed", "pending", *FORM[1:]),
        JournalEntry(LATER, "confirmed", "active", "form", "the link"),
    ]


def test_subscribing_twice_changes_nothing(subscriber_list: SubscriberList) -> None:
    subscriber_list.subscribe("pending", name="Ada")
    before = subscriber_list.ada()
    assert subscriber_list.subscribe("active", name="Mallory")[1:] == ("pending", "pending")
    assert (subscriber_list.ada(), len(subscriber_list.entries())) == (before, 1)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (changes.unsubscribe, "unsubscribed"),
        (changes.record_bounce, "bounced"),
        (changes.record_complaint, "complained"),
    ],
)
def test_suppressed_subscriber_is_not_mailed(
    subscriber_list: SubscriberList, change: Callable[..., ChangeResult | None], status: str
) -> None:
    subscriber_list.subscribe()
    assert subscriber_list.apply(change) == (subscriber_list.ada()["id"], "active", status)
    assert subscriber_list.audience() == []
    assert subscriber_list.entries()[-1] == JournalEntry(
        LATER, status, status, "webhook", "event 1"
    )
    subscriber_list.apply(change)
    assert subscriber_list.subscribe()[1:] == (status, status)
    assert len(subscriber_list.entries()) == 2


def test_weaker_report_does_not_replace_a_stronger_one(subscriber_list: SubscriberList) -> None:
    subscriber_list.subscribe()
    for change in (
        changes.record_bounce,
        changes.unsubscribe,
        changes.record_bounce,
        changes.record_complaint,
    ):
        subscriber_list.apply(change)
    subscriber_list.apply(changes.unsubscribe)
    changes_made = [entry.change for entry in subscriber_list.entries()]
    assert changes_made == ["subscribed", "bounced", "unsubscribed", "complained"]
    assert subscriber_list.ada()["status"] == "complained"


@pytest.mark.parametrize(
    "change",
    [
        changes.confirm,
        changes.unsubscribe,
        changes.record_bounce,
        changes.record_complaint,
        changes.record_delivery,
    ],
)
def test_changes_of_an_unknown_address_return_none(
    subscriber_list: SubscriberList, change: Any
) -> None:
    assert subscriber_list.apply(change) is None


def test_maximum_of_soft_bounces_marks_the_subscriber_as_bounced(
    subscriber_list: SubscriberList,
) -> None:
    subscriber_list.subscribe()
    for _ in range(2):
        subscriber_list.apply(changes.record_soft_bounce, max_soft_bounces=3)
    assert (subscriber_list.ada()["status"], subscriber_list.ada()["soft_bounces"]) == ("active", 2)
    bounced = subscriber_list.apply(changes.record_soft_bounce, max_soft_bounces=3)
    assert bounced
    assert bounced[1:] == ("active", "bounced")
    changes_made = [entry.change for entry in subscriber_list.entries()]
    assert changes_made == ["subscribed", *["soft_bounced"] * 3, "bounced"]
    assert subscriber_list.entries()[-1].wording == "soft bounce 3 in a row"
    subscriber_list.apply(changes.record_soft_bounce, max_soft_bounces=3)
    assert len(subscriber_list.entries()) == 5


def test_delivery_resets_the_count_of_soft_bounces(subscriber_list: SubscriberList) -> None:
    subscriber_list.subscribe()
    for change in ("soft", "soft", "delivered", "delivered", "soft", "soft"):
        if change == "soft":
            subscriber_list.apply(changes.record_soft_bounce, max_soft_bounces=3)
        else:
            subscriber_list.apply(changes.record_delivery)
    assert (subscriber_list.ada()["status"], subscriber_list.ada()["soft_bounces"]) == ("active", 2)
    assert [entry.change for entry in subscriber_list.entries()].count("delivered") == 1


def test_resubscribing_with_consent_removes_suppressions(
    subscriber_list: SubscriberList, engine: sa.Engine
) -> None:
    subscriber_list.subscribe()
    subscriber_list.apply(changes.record_complaint)
    suppress(engine)
    assert subscriber_list.resubscribe()[1:] == ("complained", "active")
    assert subscriber_list.audience() == ["Ada@example.com"]
    assert subscriber_list.entries()[-1] == JournalEntry(
        LATER, "resubscribed", "active", "cli", "", "asked by letter on 3 May"
    )


def test_resubscribing_adds_a_new_subscriber(
    subscriber_list: SubscriberList, engine: sa.Engine
) -> None:
    suppress(engine)
    assert subscriber_list.resubscribe("pending")[1:] == (None, "pending")
    assert subscriber_list.resubscribe()[1:] == ("pending", "active")
    assert subscriber_list.audience() == ["Ada@example.com"]


@pytest.mark.parametrize("wording", ["", "  "])
def test_resubscribing_without_consent_is_refused(
    subscriber_list: SubscriberList, wording: str
) -> None:
    subscriber_list.subscribe()
    subscriber_list.apply(changes.unsubscribe)
    with pytest.raises(SubscriberListError, match="without their consent"):
        subscriber_list.resubscribe(origin=ChangeOrigin(LATER, "cli", wording=wording))
    assert subscriber_list.ada()["status"] == "unsubscribed"


def test_rotate_token_replaces_the_token(subscriber_list: SubscriberList) -> None:
    subscriber_list.subscribe()
    old = subscriber_list.ada()["token"]
    with subscriber_list.engine.begin() as connection:
        assert changes.rotate_token(connection, ADA.key, LATER)
        assert not changes.rotate_token(connection, "stranger@example.com", LATER)
    assert subscriber_list.ada()["token"] != old
    assert len(subscriber_list.ada()["token"]) == 22


def test_import_appends_to_the_journal(
    subscriber_list: SubscriberList, import_text: ImportText
) -> None:
    import_text("email,status\nada@example.com,active\n", now=NOW)
    import_text("email,status\nada@example.com,unsubscribed\n", name="left.csv", now=LATER)
    import_text("email,status\nada@example.com,cleaned\n", name="cleaned.csv", now=LATER)
    assert [entry[:4] for entry in subscriber_list.entries()] == [
        (NOW, "imported", "active", "import"),
        (LATER, "imported", "unsubscribed", "import"),
    ]
    assert [entry.source for entry in subscriber_list.entries()] == [
        "import readers.csv:2",
        "import left.csv:2",
    ]


def test_concurrent_changes_are_all_recorded(
    subscriber_list: SubscriberList, tmp_path: Any
) -> None:
    """Four writers record forty soft bounces concurrently: all are counted and in the journal."""
    subscriber_list.subscribe()
    url = subscriber_list.engine.url.render_as_string(hide_password=False)
    url = url.replace("postgresql+psycopg", "postgresql")
    start = threading.Barrier(4)

    def bounce_softly() -> None:
        engine = open_database(url, tmp_path)
        start.wait()
        for _ in range(10):
            with engine.begin() as connection:
                changes.record_soft_bounce(connection, ADA.key, WEBHOOK, max_soft_bounces=100)
        engine.dispose()

    threads = [threading.Thread(target=bounce_softly) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert subscriber_list.ada()["soft_bounces"] == 40
    assert len(subscriber_list.entries()) == 41


def test_subscribe_waits_for_a_concurrent_erasure(
    subscriber_list: SubscriberList, tmp_path: Any
) -> None:
    """Whichever is first, the erased address isn't in the list afterwards."""
    subscriber_list.subscribe()
    url = subscriber_list.engine.url.render_as_string(hide_password=False)
    url = url.replace("postgresql+psycopg", "postgresql")
    start = threading.Barrier(2)
    errors: list[SubscriberListError] = []

    def subscribe() -> None:
        engine = open_database(url, tmp_path)
        start.wait()
        try:
            with engine.begin() as connection:
                changes.subscribe(connection, ADA, "active", FORM)
        except SubscriberListError as error:
            errors.append(error)
        engine.dispose()

    thread = threading.Thread(target=subscribe)
    thread.start()
    start.wait()
    erase_address(subscriber_list.engine, ADA.key, LATER)
    thread.join()
    assert subscriber_list.audience() == []
