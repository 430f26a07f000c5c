"""The contract of single changes, on SQLite and on PostgreSQL."""

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

Import = Callable[..., ImportSummary]

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
LATER = NOW + datetime.timedelta(days=1)
FORM = ChangeOrigin(NOW, "form", "https://harbour-notes.org/join", "Send me the letter, weekly")
HOOK = ChangeOrigin(LATER, "webhook", "event 1")
LETTER = ChangeOrigin(LATER, "cli", wording="asked by letter on 3 May")
ADA = parse_address("Ada@example.com")


class List:
    """The list, a transaction an action."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def subscribe(
        self, status: str = "active", origin: ChangeOrigin = FORM, **more: str
    ) -> ChangeResult:
        with self.engine.begin() as connection:
            return changes.subscribe(connection, ADA, status, origin, **more)

    def resubscribe(self, status: str = "active", origin: ChangeOrigin = LETTER) -> ChangeResult:
        with self.engine.begin() as connection:
            return changes.resubscribe(connection, ADA, status, origin)

    def happens(self, change: Any, origin: ChangeOrigin = HOOK, **more: int) -> ChangeResult | None:
        with self.engine.begin() as connection:
            changed: ChangeResult | None = change(connection, ADA.key, origin, **more)
            return changed

    def ada(self) -> dict[str, Any]:
        with read_transaction(self.engine) as connection:
            found = sa.select(subscriber).where(subscriber.c.address_key == ADA.key)
            return dict(connection.execute(found).mappings().one())

    def lines(self) -> list[JournalEntry]:
        with read_transaction(self.engine) as connection:
            return journal.load_journal(connection, self.ada()["id"])

    def mailed(self) -> list[str]:
        with read_transaction(self.engine) as connection:
            return [reader.address for reader in iter_audience(connection)]


@pytest.fixture
def readers(engine: sa.Engine) -> List:
    return List(engine)


def suppress(engine: sa.Engine) -> None:
    row = {"address_key": ADA.key, "reason": "bounced", "since": NOW, "source": "a test"}
    with engine.begin() as connection:
        connection.execute(sa.insert(suppression).values(row))


def test_whoever_joins_is_pending_until_they_confirm(readers: List) -> None:
    id_, before, after = readers.subscribe("pending", name="Ada")
    assert (before, after, readers.mailed()) == (None, "pending", [])
    ada = readers.ada()
    assert (ada["id"], ada["address"], ada["name"]) == (id_, "Ada@example.com", "Ada")
    assert (ada["joined_at"], ada["confirmed_at"]) == (NOW, None)
    assert ada["source"] == "form https://harbour-notes.org/join"
    confirmed = readers.happens(changes.confirm, ChangeOrigin(LATER, "form", "the link"))
    assert confirmed == (id_, "pending", "active")
    assert (readers.ada()["confirmed_at"], readers.mailed()) == (LATER, ["Ada@example.com"])
    assert readers.lines() == [
        JournalEntry(NOW, "subscribed", "pending", *FORM[1:]),
        JournalEntry(LATER, "confirmed", "active", "form", "the link"),
    ]


def test_joining_twice_changes_nothing(readers: List) -> None:
    readers.subscribe("pending", name="Ada")
    before = readers.ada()
    assert readers.subscribe("active", name="Mallory")[1:] == ("pending", "pending")
    assert (readers.ada(), len(readers.lines())) == (before, 1)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        (changes.unsubscribe, "unsubscribed"),
        (changes.record_bounce, "bounced"),
        (changes.record_complaint, "complained"),
    ],
)
def test_whoever_has_left_is_not_mailed(
    readers: List, change: Callable[..., ChangeResult | None], status: str
) -> None:
    readers.subscribe()
    assert readers.happens(change) == (readers.ada()["id"], "active", status)
    assert readers.mailed() == []
    assert readers.lines()[-1] == JournalEntry(LATER, status, status, "webhook", "event 1")
    readers.happens(change)
    assert readers.subscribe()[1:] == (status, status)
    assert len(readers.lines()) == 2


def test_a_weaker_report_is_not_news(readers: List) -> None:
    readers.subscribe()
    for change in (
        changes.record_bounce,
        changes.unsubscribe,
        changes.record_bounce,
        changes.record_complaint,
    ):
        readers.happens(change)
    readers.happens(changes.unsubscribe)
    words = [line.change for line in readers.lines()]
    assert words == ["subscribed", "bounced", "unsubscribed", "complained"]
    assert readers.ada()["status"] == "complained"


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
def test_nothing_happens_to_an_address_that_is_not_there(readers: List, change: Any) -> None:
    assert readers.happens(change) is None


def test_the_last_of_some_soft_bounces_in_a_row_is_a_bounce(readers: List) -> None:
    readers.subscribe()
    for _ in range(2):
        readers.happens(changes.record_soft_bounce, max_soft_bounces=3)
    assert (readers.ada()["status"], readers.ada()["soft_bounces"]) == ("active", 2)
    bounced = readers.happens(changes.record_soft_bounce, max_soft_bounces=3)
    assert bounced
    assert bounced[1:] == ("active", "bounced")
    words = [line.change for line in readers.lines()]
    assert words == ["subscribed", *["soft_bounced"] * 3, "bounced"]
    assert readers.lines()[-1].wording == "soft bounce 3 in a row"
    readers.happens(changes.record_soft_bounce, max_soft_bounces=3)
    assert len(readers.lines()) == 5


def test_a_delivery_makes_soft_bounces_count_anew(readers: List) -> None:
    readers.subscribe()
    for change in ("soft", "soft", "delivered", "delivered", "soft", "soft"):
        if change == "soft":
            readers.happens(changes.record_soft_bounce, max_soft_bounces=3)
        else:
            readers.happens(changes.record_delivery)
    assert (readers.ada()["status"], readers.ada()["soft_bounces"]) == ("active", 2)
    assert [line.change for line in readers.lines()].count("delivered") == 1


def test_a_stated_consent_brings_back(readers: List, engine: sa.Engine) -> None:
    readers.subscribe()
    readers.happens(changes.record_complaint)
    suppress(engine)
    assert readers.resubscribe()[1:] == ("complained", "active")
    assert readers.mailed() == ["Ada@example.com"]
    assert readers.lines()[-1] == JournalEntry(
        LATER, "resubscribed", "active", "cli", "", "asked by letter on 3 May"
    )


def test_a_new_reader_may_come_by_a_stated_consent(readers: List, engine: sa.Engine) -> None:
    suppress(engine)
    assert readers.resubscribe("pending")[1:] == (None, "pending")
    assert readers.resubscribe()[1:] == ("pending", "active")
    assert readers.mailed() == ["Ada@example.com"]


@pytest.mark.parametrize("wording", ["", "  "])
def test_nobody_comes_back_without_a_consent(readers: List, wording: str) -> None:
    readers.subscribe()
    readers.happens(changes.unsubscribe)
    with pytest.raises(SubscriberListError, match="without their consent"):
        readers.resubscribe(origin=ChangeOrigin(LATER, "cli", wording=wording))
    assert readers.ada()["status"] == "unsubscribed"


def test_a_new_token_replaces_the_old_one(readers: List) -> None:
    readers.subscribe()
    old = readers.ada()["token"]
    with readers.engine.begin() as connection:
        assert changes.rotate_token(connection, ADA.key, LATER)
        assert not changes.rotate_token(connection, "stranger@example.com", LATER)
    assert readers.ada()["token"] != old
    assert len(readers.ada()["token"]) == 22


def test_an_imported_reader_has_a_journal(readers: List, imported: Import) -> None:
    imported("email,status\nada@example.com,active\n", now=NOW)
    imported("email,status\nada@example.com,unsubscribed\n", name="left.csv", now=LATER)
    imported("email,status\nada@example.com,cleaned\n", name="cleaned.csv", now=LATER)
    assert [line[:4] for line in readers.lines()] == [
        (NOW, "imported", "active", "import"),
        (LATER, "imported", "unsubscribed", "import"),
    ]
    assert [line.source for line in readers.lines()] == [
        "import readers.csv:2",
        "import left.csv:2",
    ]


def test_no_change_is_lost_between_two_processes(readers: List, tmp_path: Any) -> None:
    """Forty soft bounces by four writers at once: every one is counted and written down."""
    readers.subscribe()
    url = readers.engine.url.render_as_string(hide_password=False)
    url = url.replace("postgresql+psycopg", "postgresql")
    start = threading.Barrier(4)

    def bounce_softly() -> None:
        engine = open_database(url, tmp_path)
        start.wait()
        for _ in range(10):
            with engine.begin() as connection:
                changes.record_soft_bounce(connection, ADA.key, HOOK, max_soft_bounces=100)
        engine.dispose()

    threads = [threading.Thread(target=bounce_softly) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert readers.ada()["soft_bounces"] == 40
    assert len(readers.lines()) == 41


def test_adding_waits_for_an_erasure_under_way(readers: List, tmp_path: Any) -> None:
    """Whichever is first, an address that was erased isn't in the list afterwards."""
    readers.subscribe()
    url = readers.engine.url.render_as_string(hide_password=False)
    url = url.replace("postgresql+psycopg", "postgresql")
    start = threading.Barrier(2)
    refused: list[SubscriberListError] = []

    def join() -> None:
        engine = open_database(url, tmp_path)
        start.wait()
        try:
            with engine.begin() as connection:
                changes.subscribe(connection, ADA, "active", FORM)
        except SubscriberListError as error:
            refused.append(error)
        engine.dispose()

    thread = threading.Thread(target=join)
    thread.start()
    start.wait()
    erase_address(readers.engine, ADA.key, LATER)
    thread.join()
    assert readers.mailed() == []
