import datetime
from collections.abc import Callable
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import journal, subscriber, subscriber_tag
from newsletter.subscribers.queries.stats import (
    GrowthPeriod,
    ListStats,
    compute_stats,
    month_starts,
    week_starts,
)

OSLO = ZoneInfo("Europe/Oslo")
NOW = datetime.datetime(2026, 11, 25, 12, 0, tzinfo=datetime.UTC)  # a Wednesday

AddSubscriber = Callable[..., int]


def moment(day: int, month: int = 11, hour: int = 12) -> datetime.datetime:
    return datetime.datetime(2026, month, day, hour, tzinfo=datetime.UTC)


@pytest.fixture
def add_subscriber(engine: sa.Engine) -> AddSubscriber:
    """Return a function that adds a subscriber with journal entries (at, change, status)."""

    def add(
        *entries: tuple[datetime.datetime, str, str],
        joined_at: datetime.datetime | None = None,
        source: str = "",
        tags: tuple[str, ...] = (),
    ) -> int:
        with engine.begin() as connection:
            number = connection.execute(
                sa.select(sa.func.count()).select_from(subscriber)
            ).scalar_one()
            values = {
                "address": f"r{number}@example.com",
                "address_key": f"r{number}@example.com",
                "status": entries[-1][2],
                "attributes": {},
                "token": f"token-{number}",
                "source": source,
                "joined_at": joined_at or entries[0][0],
                "updated_at": entries[-1][0],
            }
            insert = sa.insert(subscriber).values(values).returning(subscriber.c.id)
            id_: int = connection.execute(insert).scalar_one()
            for seq, (at, change, status) in enumerate(entries, 1):
                row = {
                    "subscriber_id": id_,
                    "seq": seq,
                    "at": at,
                    "change": change,
                    "status": status,
                }
                connection.execute(sa.insert(journal).values(row | {"method": "cli"}))
            for tag in tags:
                connection.execute(sa.insert(subscriber_tag).values(subscriber_id=id_, tag=tag))
        return id_

    return add


def load_stats(engine: sa.Engine, weeks: int = 3, zone: ZoneInfo = OSLO) -> ListStats:
    with read_transaction(engine) as connection:
        return compute_stats(connection, week_count=weeks, now=NOW, zone=zone)


def test_weeks_begin_on_monday_and_end_with_the_present_one() -> None:
    days = [day.isoformat() for day in week_starts(datetime.date(2026, 11, 25), 2)]
    assert days == ["2026-11-16", "2026-11-23", "2026-11-30"]
    assert week_starts(datetime.date(2026, 11, 23), 1)[0] == datetime.date(2026, 11, 23)


def test_months_begin_on_their_first_day() -> None:
    days = [
        day.isoformat()
        for day in month_starts(datetime.date(2026, 10, 31), datetime.date(2027, 1, 1))
    ]
    assert days == ["2026-10-01", "2026-11-01", "2026-12-01", "2027-01-01", "2027-02-01"]


def test_stats_of_an_empty_list(engine: sa.Engine) -> None:
    stats = load_stats(engine)
    assert sum(stats.by_status.values()) == 0
    assert [(week.joined, week.lost, week.active_at_end) for week in stats.weeks] == [(0, 0, 0)] * 3
    assert [month.churn for month in stats.months] == [None]
    assert (stats.sources, stats.tags) == ([], [])


def test_joined_and_lost_by_week_and_month(
    engine: sa.Engine, add_subscriber: AddSubscriber
) -> None:
    add_subscriber((moment(1, 9), "subscribed", "pending"), (moment(2, 9), "confirmed", "active"))
    add_subscriber((moment(10), "subscribed", "pending"), (moment(18), "confirmed", "active"))
    add_subscriber((moment(19), "subscribed", "pending"))
    add_subscriber(
        (moment(11), "subscribed", "active"), (moment(24), "unsubscribed", "unsubscribed")
    )
    add_subscriber(
        (moment(12), "subscribed", "active"),
        (moment(13), "bounced", "bounced"),
        (moment(18), "complained", "complained"),
        (moment(24), "resubscribed", "active"),
    )
    stats = load_stats(engine)
    assert stats.weeks == [
        GrowthPeriod(datetime.date(2026, 11, 9), joined=2, lost=1, active_at_start=1),
        GrowthPeriod(datetime.date(2026, 11, 16), joined=1, lost=0, active_at_start=2),
        GrowthPeriod(datetime.date(2026, 11, 23), joined=1, lost=1, active_at_start=3),
    ]
    assert stats.weeks[-1].active_at_end == stats.by_status["active"] == 3
    (november,) = stats.months
    assert (november.joined, november.lost, november.active_at_start) == (4, 2, 1)
    assert november.churn == 2.0


def test_entries_without_a_change_of_status_are_not_counted(
    engine: sa.Engine, add_subscriber: AddSubscriber
) -> None:
    add_subscriber(
        (moment(2), "subscribed", "active"),
        (moment(17), "soft_bounced", "active"),
        (moment(24), "delivered", "active"),
    )
    assert [(week.joined, week.lost) for week in load_stats(engine).weeks] == [(0, 0)] * 3


def test_imported_subscribers_are_counted_when_they_joined(
    engine: sa.Engine, add_subscriber: AddSubscriber
) -> None:
    add_subscriber((moment(24), "imported", "active"), joined_at=moment(10))
    add_subscriber((moment(24), "imported", "unsubscribed"), joined_at=moment(10))
    assert [week.joined for week in load_stats(engine).weeks] == [1, 0, 0]


def test_week_begins_at_midnight_in_the_newsletters_time_zone(
    engine: sa.Engine, add_subscriber: AddSubscriber
) -> None:
    add_subscriber((moment(22, hour=23), "subscribed", "active"))  # Monday 00:00 in Oslo
    assert [week.joined for week in load_stats(engine, 2).weeks] == [0, 1]
    assert [week.joined for week in load_stats(engine, 2, ZoneInfo("UTC")).weeks] == [1, 0]


def test_sources_are_counted_by_file_and_page(
    engine: sa.Engine, add_subscriber: AddSubscriber
) -> None:
    for row in (2, 3, 41):
        add_subscriber((moment(2), "imported", "active"), source=f"import readers-2026.csv:{row}")
    add_subscriber((moment(2), "imported", "bounced"), source="import readers-2026.csv:5")
    add_subscriber((moment(2), "subscribed", "active"), source="https://harbournotes.example/2026")
    add_subscriber((moment(2), "subscribed", "active"), source="https://harbournotes.example:8080")
    add_subscriber((moment(2), "subscribed", "active"))
    assert load_stats(engine).sources == [
        ("import readers-2026.csv", 4, 3),
        ("", 1, 1),
        ("https://harbournotes.example/2026", 1, 1),
        ("https://harbournotes.example:8080", 1, 1),
    ]


def test_tags_are_counted_for_active_subscribers(
    engine: sa.Engine, add_subscriber: AddSubscriber
) -> None:
    add_subscriber((moment(2), "subscribed", "active"), tags=("vip", "oslo"))
    add_subscriber((moment(2), "subscribed", "active"), tags=("vip",))
    add_subscriber((moment(2), "imported", "unsubscribed"), tags=("vip", "gone"))
    assert load_stats(engine).tags == [("vip", 2), ("oslo", 1)]


def test_stats_of_many_weeks(engine: sa.Engine, add_subscriber: AddSubscriber) -> None:
    add_subscriber((moment(2), "subscribed", "active"))
    stats = load_stats(engine, 520)
    assert len(stats.weeks) == 520
    assert sum(week.joined for week in stats.weeks) == 1
