"""SendGrid's suppressions come into the list: over real sockets, into both databases."""

import datetime
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from sending_fixtures import World

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
Join = Callable[..., None]


@pytest.fixture
def run(engine: sa.Engine, mailer: SendGridClient, world: World) -> Sync:
    lists = SuppressionClient(
        mailer, world.wait, lambda: world.now, lambda tries: backoff_seconds(tries, 1.0)
    )
    return lambda **options: {
        done.list_name: done for done in sync_suppressions(engine, lists, **options)
    }


@pytest.fixture
def join(engine: sa.Engine, world: World) -> Join:
    def insert(*addresses: str, status: str = "active") -> None:
        with engine.begin() as connection:
            origin = ChangeOrigin(world.now - datetime.timedelta(days=30), "form")
            for address in addresses:
                changes.subscribe(connection, parse_address(address), status, origin)

    return insert


def statuses(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(subscriber.c.address, subscriber.c.status))
        return dict(rows.all())


def kept_out(engine: sa.Engine) -> dict[str, str]:
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(suppression.c.address_key, suppression.c.reason))
        return dict(rows.all())


def everything(engine: sa.Engine) -> list[list[tuple[object, ...]]]:
    with read_transaction(engine) as connection:
        return [
            [
                tuple(row)
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in (subscriber, journal, suppression)
        ]


def asked(double: FakeSendGrid, name: str) -> list[dict[str, str]]:
    return [
        {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        for path in double.suppressions.requested_paths
        if urlsplit(path).path.endswith(f"/{name}")
    ]


def test_every_list_has_its_meaning(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    names = ("bounces", "invalid_emails", "unsubscribes", "spam_reports", "blocks")
    join(*(f"{name}@example.com" for name in (*names, "group", "nobody")))
    for name in names:
        double.suppressions.add(name, f"{name}@example.com", world.timestamp(), reason="550 no")
    double.suppressions.groups[7] = ["group@example.com"]
    done = run(group=7)
    assert statuses(engine) == {
        "bounces@example.com": "bounced",
        "invalid_emails@example.com": "bounced",
        "unsubscribes@example.com": "unsubscribed",
        "group@example.com": "unsubscribed",
        "spam_reports@example.com": "complained",
        "blocks@example.com": "active",
        "nobody@example.com": "active",
    }
    assert [block.reason for block in done["blocks"].blocks] == ["550 no"]


def test_the_journal_says_where_it_is_from(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    join("ada@example.com")
    double.suppressions.add("bounces", "ada@example.com", world.timestamp() - HOUR, reason="550 no")
    run()
    with read_transaction(engine) as connection:
        line = connection.execute(sa.select(journal).where(journal.c.change == "bounced")).one()
    assert (line.method, line.source, line.wording) == ("sync", "SendGrid's bounces", "550 no")
    assert line.at == world.now - datetime.timedelta(hours=1)


def test_again_changes_nothing(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    join("ada@example.com", "bo@example.com")
    for name in ("bounces", "unsubscribes"):
        double.suppressions.add(name, "ada@example.com", world.timestamp())
        double.suppressions.add(name, "stranger@example.com", world.timestamp())
    double.suppressions.groups[7] = ["bo@example.com"]
    run(group=7)
    before = everything(engine)
    done = run(group=7)
    assert everything(engine) == before
    assert sum(len(each.applied_reports) for each in done.values()) == 0
    assert done["bounces"].fetched_count == 2


def test_capitals_and_repetitions_are_one_reader(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    join("Ada@Example.com")
    for address in ("ADA@EXAMPLE.COM", "ada@example.com", "Ada@example.com"):
        double.suppressions.add("bounces", address, world.timestamp())
    done = run()
    assert statuses(engine) == {"Ada@example.com": "bounced"}
    assert len(done["bounces"].applied_reports) == 1
    assert kept_out(engine) == {}


@pytest.mark.parametrize(
    "story",
    [
        ("bounces", "unsubscribes", "unsubscribed"),
        ("unsubscribes", "bounces", "unsubscribed"),
        ("spam_reports", "unsubscribes", "complained"),
    ],
)
def test_the_stronger_report_stays(
    run: Sync,
    join: Join,
    engine: sa.Engine,
    double: FakeSendGrid,
    story: tuple[str, str, str],
) -> None:
    first, second, status = story
    join("ada@example.com")
    for name in (first, second):
        double.suppressions.add(name, "ada@example.com", double.clock())
        double.suppressions.add(name, "stranger@example.com", double.clock())
        run()
    assert statuses(engine) == {"ada@example.com": status}
    assert kept_out(engine) == {"stranger@example.com": status}


def test_more_than_a_page(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    join(*(f"r{number}@example.com" for number in range(40)))
    for number in range(1201):
        double.suppressions.add("bounces", f"r{number}@example.com", world.timestamp() - number)
    done = run()
    assert (done["bounces"].fetched_count, len(done["bounces"].applied_reports)) == (1201, 1201)
    assert set(statuses(engine).values()) == {"bounced"}
    assert len(kept_out(engine)) == 1201 - 40
    assert [query["offset"] for query in asked(double, "bounces")] == ["0", "500", "1000"]


def test_strangers_are_kept_out_of_the_list(
    run: Sync, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    double.suppressions.add("unsubscribes", "Stranger@Example.com", world.timestamp())
    double.suppressions.add("invalid_emails", "no address at all", world.timestamp())
    run()
    assert kept_out(engine) == {"stranger@example.com": "unsubscribed"}
    assert statuses(engine) == {}


def test_the_next_time_asks_from_a_day_before_the_last(
    run: Sync, double: FakeSendGrid, world: World
) -> None:
    run()
    first = world.timestamp()
    world.now += datetime.timedelta(days=3)
    late = "late@example.com"
    double.suppressions.add("bounces", late, first - 23 * HOUR)
    double.suppressions.add("bounces", "old@example.com", first - 25 * HOUR)
    done = run()
    assert [taken.address for taken in done["bounces"].applied_reports] == [late]
    queries = asked(double, "bounces")
    assert "start_time" not in queries[0]
    assert queries[1]["start_time"] == str(int(first - DAY))


def test_an_error_in_the_middle_loses_nothing(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    join("r1@example.com", "r600@example.com", "u@example.com")
    for number in range(700):
        double.suppressions.add(
            "bounces", f"r{number}@example.com", world.timestamp() + number - 9999
        )
    double.suppressions.add("unsubscribes", "u@example.com", world.timestamp())
    double.inject_faults(
        faults.InjectedFault(accept=True), faults.error_response(403, "access forbidden")
    )
    with pytest.raises(ProviderError, match="access forbidden"):
        run()
    assert statuses(engine)["r600@example.com"] == "bounced"  # the first page, newest first
    with read_transaction(engine) as connection:
        assert connection.execute(sa.select(setting)).all() == []
    done = run()
    assert set(statuses(engine).values()) == {"bounced", "unsubscribed"}
    assert done["bounces"].fetched_count == 700


def test_lists_before_the_error_are_not_asked_for_again_in_full(
    run: Sync, double: FakeSendGrid
) -> None:
    double.inject_faults(faults.InjectedFault(accept=True), faults.error_response(403, "no"))
    with pytest.raises(ProviderError):
        run()
    run()
    assert ["start_time" in query for query in asked(double, "bounces")] == [False, True]
    assert ["start_time" in query for query in asked(double, "invalid_emails")] == [False, False]


def test_a_dry_run_says_the_same_and_changes_nothing(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    join("ada@example.com")
    double.suppressions.add("bounces", "ada@example.com", world.timestamp())
    double.suppressions.add("bounces", "stranger@example.com", world.timestamp())
    before = everything(engine)
    dry = run(dry_run=True)
    assert everything(engine) == before
    assert run()["bounces"].applied_reports == dry["bounces"].applied_reports != []


def test_since_a_day_leaves_no_gap_behind(
    run: Sync, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    double.suppressions.add("bounces", "old@example.com", world.timestamp() - 9 * DAY)
    done = run(since=world.now - datetime.timedelta(days=2))
    assert done["bounces"].fetched_count == 0
    run()
    assert kept_out(engine) == {"old@example.com": "bounced"}
    world.now += datetime.timedelta(days=5)
    run(since=world.now - datetime.timedelta(days=20))
    assert run()["bounces"].since == world.now - datetime.timedelta(days=1)


def test_who_came_back_after_the_report_stays(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    join("ada@example.com")
    double.suppressions.add("unsubscribes", "ada@example.com", world.timestamp() - DAY)
    run()
    with engine.begin() as connection:
        origin = ChangeOrigin(world.now, "cli", wording="by letter")
        changes.resubscribe(connection, parse_address("ada@example.com"), "active", origin)
    run()
    assert statuses(engine) == {"ada@example.com": "active"}
    double.suppressions.add("unsubscribes", "ada@example.com", world.timestamp() + 60)
    world.now += datetime.timedelta(minutes=2)
    run()
    assert statuses(engine) == {"ada@example.com": "unsubscribed"}


def test_the_erased_are_not_written_down_again(
    run: Sync, join: Join, engine: sa.Engine, double: FakeSendGrid, world: World
) -> None:
    join("ada@example.com")
    erasure.erase_address(engine, "ada@example.com", world.now)
    double.suppressions.add("unsubscribes", "ada@example.com", world.timestamp())
    done = run()
    assert done["unsubscribes"].applied_reports == []
    assert (statuses(engine), kept_out(engine)) == ({}, {})
