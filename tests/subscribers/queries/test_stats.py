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

Story = Callable[..., int]


def on(day: int, month: int = 11, hour: int = 12) -> datetime.datetime:
    return datetime.datetime(2026, month, day, hour, tzinfo=datetime.UTC)


@pytest.fixture
def story(engine: sa.Engine) -> Story:
    """Puts one reader with a journal of (when, change, status) into the list."""

    def tell(
        *lines: tuple[datetime.datetime, str, str],
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
                "status": lines[-1][2],
                "attributes": {},
                "token": f"token-{number}",
                "source": source,
                "joined_at": joined_at or lines[0][0],
                "updated_at": lines[-1][0],
            }
            made = sa.insert(subscriber).values(values).returning(subscriber.c.id)
            id_: int = connection.execute(made).scalar_one()
            for n, (at, change, status) in enumerate(lines, 1):
                row = {"subscriber_id": id_, "seq": n, "at": at, "change": change, "status": status}
                connection.execute(sa.insert(journal).values(row | {"method": "cli"}))
            for tag in tags:
                connection.execute(sa.insert(subscriber_tag).values(subscriber_id=id_, tag=tag))
        return id_

    return tell


def counted(engine: sa.Engine, weeks: int = 3, zone: ZoneInfo = OSLO) -> ListStats:
    with read_transaction(engine) as connection:
        return compute_stats(connection, week_count=weeks, now=NOW, zone=zone)


def test_weeks_begin_on_monday_and_the_present_one_is_the_last() -> None:
    days = [day.isoformat() for day in week_starts(datetime.date(2026, 11, 25), 2)]
    assert days == ["2026-11-16", "2026-11-23", "2026-11-30"]
    assert week_starts(datetime.date(2026, 11, 23), 1)[0] == datetime.date(2026, 11, 23)


def test_months_are_whole() -> None:
    days = [
        day.isoformat()
        for day in month_starts(datetime.date(2026, 10, 31), datetime.date(2027, 1, 1))
    ]
    assert days == ["2026-10-01", "2026-11-01", "2026-12-01", "2027-01-01", "2027-02-01"]


def test_an_empty_list(engine: sa.Engine) -> None:
    found = counted(engine)
    assert sum(found.by_status.values()) == 0
    assert [(week.joined, week.lost, week.active_at_end) for week in found.weeks] == [(0, 0, 0)] * 3
    assert [month.churn for month in found.months] == [None]
    assert (found.sources, found.tags) == ([], [])


def test_who_joined_and_who_left_by_week(engine: sa.Engine, story: Story) -> None:
    story((on(1, 9), "subscribed", "pending"), (on(2, 9), "confirmed", "active"))
    story((on(10), "subscribed", "pending"), (on(18), "confirmed", "active"))
    story((on(19), "subscribed", "pending"))
    story((on(11), "subscribed", "active"), (on(24), "unsubscribed", "unsubscribed"))
    story(
        (on(12), "subscribed", "active"),
        (on(13), "bounced", "bounced"),
        (on(18), "complained", "complained"),
        (on(24), "resubscribed", "active"),
    )
    found = counted(engine)
    assert found.weeks == [
        GrowthPeriod(datetime.date(2026, 11, 9), joined=2, lost=1, active_at_start=1),
        GrowthPeriod(datetime.date(2026, 11, 16), joined=1, lost=0, active_at_start=2),
        GrowthPeriod(datetime.date(2026, 11, 23), joined=1, lost=1, active_at_start=3),
    ]
    assert found.weeks[-1].active_at_end == found.by_status["active"] == 3
    (november,) = found.months
    assert (november.joined, november.lost, november.active_at_start) == (4, 2, 1)
    assert november.churn == 2.0


def test_what_changes_nothing_is_no_joining(engine: sa.Engine, story: Story) -> None:
    story(
        (on(2), "subscribed", "active"),
        (on(17), "soft_bounced", "active"),
        (on(24), "delivered", "active"),
    )
    assert [(week.joined, week.lost) for week in counted(engine).weeks] == [(0, 0)] * 3


def test_a_list_that_was_moved_here_keeps_its_past(engine: sa.Engine, story: Story) -> None:
    story((on(24), "imported", "active"), joined_at=on(10))
    story((on(24), "imported", "unsubscribed"), joined_at=on(10))
    assert [week.joined for week in counted(engine).weeks] == [1, 0, 0]


def test_a_week_begins_at_midnight_where_the_newsletter_is(engine: sa.Engine, story: Story) -> None:
    story((on(22, hour=23), "subscribed", "active"))  # Monday 00:00 in Oslo
    assert [week.joined for week in counted(engine, 2).weeks] == [0, 1]
    assert [week.joined for week in counted(engine, 2, ZoneInfo("UTC")).weeks] == [1, 0]


def test_sources_are_files_and_pages_not_rows(engine: sa.Engine, story: Story) -> None:
    for row in (2, 3, 41):
        story((on(2), "imported", "active"), source=f"import readers-2026.csv:{row}")
    story((on(2), "imported", "bounced"), source="import readers-2026.csv:5")
    story((on(2), "subscribed", "active"), source="https://harbournotes.example/2026")
    story((on(2), "subscribed", "active"), source="https://harbournotes.example:8080")
    story((on(2), "subscribed", "active"))
    assert counted(engine).sources == [
        ("import readers-2026.csv", 4, 3),
        ("", 1, 1),
        ("https://harbournotes.example/2026", 1, 1),
        ("https://harbournotes.example:8080", 1, 1),
    ]


def test_tags_of_those_who_get_mail(engine: sa.Engine, story: Story) -> None:
    story((on(2), "subscribed", "active"), tags=("vip", "oslo"))
    story((on(2), "subscribed", "active"), tags=("vip",))
    story((on(2), "imported", "unsubscribed"), tags=("vip", "gone"))
    assert counted(engine).tags == [("vip", 2), ("oslo", 1)]


def test_many_weeks(engine: sa.Engine, story: Story) -> None:
    story((on(2), "subscribed", "active"))
    found = counted(engine, 520)
    assert len(found.weeks) == 520
    assert sum(week.joined for week in found.weeks) == 1
