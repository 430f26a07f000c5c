"""Suppressions of the fake SendGrid are synced over real sockets, into both databases."""

import datetime
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from sending_fixtures import FakeObserver

from newsletter.db import read_transaction
from newsletter.db.schema import journal, setting, subscriber, suppression
from newsletter.errors import ProviderError
from newsletter.sending.feedback.suppression_sync import SuppressionSyncResult, sync_suppressions
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.providers.sendgrid.suppressions_api import SuppressionClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.retry_policy import backoff_seconds
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes, erasure
from newsletter.subscribers.consent.journal import ChangeOrigin

HOUR, DAY = 3_600, 86_400

Sync = Callable[..., dict[str, SuppressionSyncResult]]
AddSubscribers = Callable[..., None]


@pytest.fixture
def sync(engine: sa.Engine, mailer: SendGridClient, observer: FakeObserver) -> Sync:
    def run(group: int | None = None, **options: Any) -> dict[str, SuppressionSyncResult]:
        lists = SuppressionClient(
            mailer,
            observer.wait,
            lambda: observer.now,
            lambda attempts: backoff_seconds(attempts, 1.0),
            group,
        )
        return {result.list_name: result for result in sync_suppressions(engine, lists, **options)}

    return run


@pytest.fixture
def add_subscribers(engine: sa.Engine, observer: FakeObserver) -> AddSubscribers:
    def insert(*addresses: str, status: str = "active") -> None:
        with engine.begin() as connection:
            origin = ChangeOrigin(observer.now - datetime.timedelta(days=30), "form")
            for address in addresses:
                changes.subscribe(connection, parse_address(address), status, origin)

    return insert


def statuses(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(subscriber.c.address, subscriber.c.status))
        return dict(rows.all())


def suppressed(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(suppression.c.address_key, suppression.c.reason))
        return dict(rows.all())


def dump_tables(engine: sa.Engine) -> list[list[tuple[object, ...]]]:
    with read_transaction(engine) as connection:
        return [
            [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in (subscriber, journal, suppression)
        ]


def queries_of(double: FakeSendGrid, name: str) -> list[dict[str, str]]:
    return [
        {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        for path in double.suppressions.requested_paths
        if urlsplit(path).path.endswith(f"/{name}")
    ]


def test_each_list_sets_its_status(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    names = ("bounces", "invalid_emails", "unsubscribes", "spam_reports", "blocks")
    add_subscribers(*(f"{name}@example.com" for name in (*names, "group", "nobody")))
    for name in names:
        double.suppressions.add(name, f"{name}@example.com", observer.timestamp(), reason="550 no")
    double.suppressions.groups[7] = ["group@example.com"]
    results = sync(group=7)
    assert statuses(engine) == {
        "bounces@example.com": "bounced",
        "invalid_emails@example.com": "bounced",
        "unsubscribes@example.com": "unsubscribed",
        "group@example.com": "unsubscribed",
        "spam_reports@example.com": "complained",
        "blocks@example.com": "active",
        "nobody@example.com": "active",
    }
    assert [block.reason for block in results["blocks"].blocks] == ["550 no"]


def test_journal_names_the_list(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    add_subscribers("ada@example.com")
    double.suppressions.add(
        "bounces", "ada@example.com", observer.timestamp() - HOUR, reason="550 no"
    )
    sync()
    with read_transaction(engine) as connection:
        line = connection.execute(sa.select(journal).where(journal.c.change == "bounced")).one()
    assert (line.method, line.source, line.wording) == ("sync", "SendGrid's bounces", "550 no")
    assert line.at == observer.now - datetime.timedelta(hours=1)


def test_second_sync_changes_nothing(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    add_subscribers("ada@example.com", "bo@example.com")
    for name in ("bounces", "unsubscribes"):
        double.suppressions.add(name, "ada@example.com", observer.timestamp())
        double.suppressions.add(name, "stranger@example.com", observer.timestamp())
    double.suppressions.groups[7] = ["bo@example.com"]
    sync(group=7)
    before = dump_tables(engine)
    results = sync(group=7)
    assert dump_tables(engine) == before
    assert sum(len(result.applied_reports) for result in results.values()) == 0
    assert results["bounces"].fetched_count == 2


def test_spellings_and_duplicates_of_an_address_are_one_subscriber(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    add_subscribers("Ada@Example.com")
    for address in ("ADA@EXAMPLE.COM", "ada@example.com", "Ada@example.com"):
        double.suppressions.add("bounces", address, observer.timestamp())
    results = sync()
    assert statuses(engine) == {"Ada@example.com": "bounced"}
    assert len(results["bounces"].applied_reports) == 1
    assert suppressed(engine) == {}


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        ("bounces", "unsubscribes", "unsubscribed"),
        ("unsubscribes", "bounces", "unsubscribed"),
        ("spam_reports", "unsubscribes", "complained"),
    ],
)
def test_stronger_report_prevails(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    *,
    first: str,
    second: str,
    status: str,
) -> None:
    add_subscribers("ada@example.com")
    for name in (first, second):
        double.suppressions.add(name, "ada@example.com", double.clock())
        double.suppressions.add(name, "stranger@example.com", double.clock())
        sync()
    assert statuses(engine) == {"ada@example.com": status}
    assert suppressed(engine) == {"stranger@example.com": status}


def test_list_of_several_pages_is_fetched(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    add_subscribers(*(f"r{number}@example.com" for number in range(40)))
    for number in range(1201):
        double.suppressions.add("bounces", f"r{number}@example.com", observer.timestamp() - number)
    results = sync()
    assert (results["bounces"].fetched_count, len(results["bounces"].applied_reports)) == (
        1201,
        1201,
    )
    assert set(statuses(engine).values()) == {"bounced"}
    assert len(suppressed(engine)) == 1201 - 40
    assert [query["offset"] for query in queries_of(double, "bounces")] == ["0", "500", "1000"]


def test_unknown_addresses_are_suppressed(
    sync: Sync, engine: sa.Engine, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.suppressions.add("unsubscribes", "Stranger@Example.com", observer.timestamp())
    double.suppressions.add("invalid_emails", "no address at all", observer.timestamp())
    sync()
    assert suppressed(engine) == {"stranger@example.com": "unsubscribed"}
    assert statuses(engine) == {}


def test_next_sync_starts_a_day_before_the_last(
    sync: Sync, double: FakeSendGrid, observer: FakeObserver
) -> None:
    sync()
    first = observer.timestamp()
    observer.now += datetime.timedelta(days=3)
    late = "late@example.com"
    double.suppressions.add("bounces", late, first - 23 * HOUR)
    double.suppressions.add("bounces", "old@example.com", first - 25 * HOUR)
    results = sync()
    assert [report.address for report in results["bounces"].applied_reports] == [late]
    queries = queries_of(double, "bounces")
    assert "start_time" not in queries[0]
    assert queries[1]["start_time"] == str(int(first - DAY))


def test_interrupted_list_is_fetched_again(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    add_subscribers("r1@example.com", "r600@example.com", "u@example.com")
    for number in range(700):
        double.suppressions.add(
            "bounces", f"r{number}@example.com", observer.timestamp() + number - 9999
        )
    double.suppressions.add("unsubscribes", "u@example.com", observer.timestamp())
    double.inject_faults(
        faults.InjectedFault(accept=True), faults.error_response(403, "access forbidden")
    )
    with pytest.raises(ProviderError, match="access forbidden"):
        sync()
    assert statuses(engine)["r600@example.com"] == "bounced"  # the first page, newest first
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(setting)).all() == []
    results = sync()
    assert set(statuses(engine).values()) == {"bounced", "unsubscribed"}
    assert results["bounces"].fetched_count == 700


def test_lists_before_an_error_are_not_fetched_again_in_full(
    sync: Sync, double: FakeSendGrid
) -> None:
    double.inject_faults(faults.InjectedFault(accept=True), faults.error_response(403, "no"))
    with pytest.raises(ProviderError):
        sync()
    sync()
    assert ["start_time" in query for query in queries_of(double, "bounces")] == [False, True]
    assert ["start_time" in query for query in queries_of(double, "invalid_emails")] == [
        False,
        False,
    ]


def test_dry_run_reports_the_same_and_changes_nothing(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    add_subscribers("ada@example.com")
    double.suppressions.add("bounces", "ada@example.com", observer.timestamp())
    double.suppressions.add("bounces", "stranger@example.com", observer.timestamp())
    before = dump_tables(engine)
    dry_run = sync(dry_run=True)
    assert dump_tables(engine) == before
    assert sync()["bounces"].applied_reports == dry_run["bounces"].applied_reports != []


def test_sync_since_a_given_day_leaves_no_gap(
    sync: Sync, engine: sa.Engine, double: FakeSendGrid, observer: FakeObserver
) -> None:
    double.suppressions.add("bounces", "old@example.com", observer.timestamp() - 9 * DAY)
    results = sync(since=observer.now - datetime.timedelta(days=2))
    assert results["bounces"].fetched_count == 0
    sync()
    assert suppressed(engine) == {"old@example.com": "bounced"}
    observer.now += datetime.timedelta(days=5)
    sync(since=observer.now - datetime.timedelta(days=20))
    assert sync()["bounces"].since == observer.now - datetime.timedelta(days=1)


def test_report_from_before_a_resubscription_is_ignored(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    add_subscribers("ada@example.com")
    double.suppressions.add("unsubscribes", "ada@example.com", observer.timestamp() - DAY)
    sync()
    with engine.begin() as connection:
        origin = ChangeOrigin(observer.now, "cli", wording="by letter")
        changes.resubscribe(connection, parse_address("ada@example.com"), "active", origin)
    sync()
    assert statuses(engine) == {"ada@example.com": "active"}
    double.suppressions.add("unsubscribes", "ada@example.com", observer.timestamp() + 60)
    observer.now += datetime.timedelta(minutes=2)
    sync()
    assert statuses(engine) == {"ada@example.com": "unsubscribed"}


def test_erased_address_is_not_stored_again(
    sync: Sync,
    add_subscribers: AddSubscribers,
    engine: sa.Engine,
    double: FakeSendGrid,
    observer: FakeObserver,
) -> None:
    add_subscribers("ada@example.com")
    erasure.erase_address(engine, "ada@example.com", observer.now)
    double.suppressions.add("unsubscribes", "ada@example.com", observer.timestamp())
    results = sync()
    assert results["unsubscribes"].applied_reports == []
    assert (statuses(engine), suppressed(engine)) == ({}, {})
