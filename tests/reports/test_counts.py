"""Every accepted reader is in exactly one of delivered, bounced, dropped, waiting."""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_send import AT, MadeUp, address, events, make_send

from newsletter.db import read_transaction
from newsletter.db.schema import event, send_recipient
from newsletter.reports.counts import MAX_DOMAINS, count_send_results
from newsletter.reports.engagement import count_clicks, count_opens
from newsletter.reports.model import CURVE_HOURS, SendCounts
from newsletter.subscribers.consent.erasure import erase_address

READERS = 6
WEEK = (AT, AT + datetime.timedelta(days=7))
TYPES = (
    "processed", "delivered", "deferred", "bounce", "dropped", "open", "click", "spamreport",
    "unsubscribe", "group_resubscribe",
)  # fmt: skip
SIGNS = {"open", "click", "spamreport", "unsubscribe", "group_unsubscribe"}

Told = tuple[int, str, int, bool]
told = st.tuples(
    st.integers(1, READERS + 2),  # the last two are nobody's
    st.sampled_from(TYPES),
    st.sampled_from([-10, 0, 1, 2, 3_599, 3_600, 80 * 3_600]),
    st.booleans(),
)


def fate(mine: Iterable[Told]) -> str:
    """The rule once more, for one reader."""
    found = list(mine)
    delivered = [at for _, kind, at, _ in found if kind == "delivered"]
    bounced = [at for _, kind, at, _ in found if kind == "bounce"]
    if bounced and (not delivered or max(bounced) >= max(delivered)):
        return "bounced"
    kinds = {kind for _, kind, _, _ in found}
    if delivered or kinds & SIGNS:
        return "delivered"
    return "dropped" if "dropped" in kinds else "waiting"


def row(send_id: int, number: int, one: Told) -> dict[str, Any]:
    reader, kind, seconds, machine = one
    return {
        "sg_event_id": f"{send_id}/{number}", "type": kind, "send_id": send_id,
        "at": AT + datetime.timedelta(seconds=seconds), "address_key": address(reader),
        "is_bot": machine, "raw": {"type": "blocked", "reason": "Bounced Address"},
    }  # fmt: skip


def told_of(rows: Iterable[dict[str, Any]]) -> Iterator[Told]:
    """Made-up rows of the table as the rule above wants them."""
    numbers = {address(number): number for number in range(1, 1_001)}
    for one in rows:
        seconds = int((one["at"] - AT).total_seconds())
        yield numbers[one["address_key"]], one["type"], seconds, one["is_bot"]


def assert_adds_up(found: SendCounts, readers: int) -> None:
    fates = found.delivery
    assert fates.total == readers
    assert sum(found.bounces.values()) == fates.bounced
    assert sum(found.drops.values()) == fates.dropped
    assert sum(found.delivery_curve.hours) + found.delivery_curve.later == fates.delivered
    for name in ("delivered", "bounced", "dropped", "waiting"):
        assert sum(getattr(one, name) for one in found.domains) == getattr(fates, name)
    for one in found.domains:
        assert one.delivered + one.bounced + one.dropped + one.waiting == one.sent
    assert sum(one.complaints for one in found.domains) == found.complaints
    assert found.still_deferred <= min(found.deferred, fates.waiting)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(told, max_size=25))
def test_any_events_in_any_order_leave_each_reader_one_fate(
    engine: sa.Engine, facts: list[Told]
) -> None:
    if not known(engine):
        make_send(engine, MadeUp(readers=READERS))
    with engine.connect() as connection, connection.begin() as nothing_stays:
        connection.execute(sa.delete(event))
        if facts:
            connection.execute(sa.insert(event), [row(1, n, one) for n, one in enumerate(facts)])
        found = count_send_results(connection, 1, AT, (AT, AT))
        opened = count_opens(connection, 1, AT)
        nothing_stays.rollback()
    assert_adds_up(found, READERS)
    of = {reader: [one for one in facts if one[0] == reader] for reader in range(1, READERS + 1)}
    expected = Counter(fate(mine) for mine in of.values())
    assert {name: getattr(found.delivery, name) for name in expected} == dict(expected)
    assert found.complaints == sum("spamreport" in {one[1] for one in mine} for mine in of.values())
    people = [mine for mine in of.values() if any(one[1] == "open" and not one[3] for one in mine)]
    assert (opened.readers if opened else 0) == len(people)
    if opened:
        assert sum(opened.curve.hours) + opened.curve.later == opened.readers


def known(engine: sa.Engine) -> bool:
    with read_transaction(engine) as connection:
        return bool(connection.scalar(sa.select(sa.func.count()).select_from(send_recipient)))


def test_a_made_up_send_is_counted_as_it_was_made(engine: sa.Engine) -> None:
    what = MadeUp(readers=1_000)
    send_id = make_send(engine, what)
    with read_transaction(engine) as connection:
        found = count_send_results(connection, send_id, AT, WEEK)
    assert_adds_up(found, what.readers)
    of: dict[int, list[Told]] = {number: [] for number in range(1, what.readers + 1)}
    for one in told_of(events(what, send_id)):
        of[one[0]].append(one)
    expected = Counter(fate(mine) for mine in of.values())
    assert found.delivery.delivered == expected["delivered"] > 900
    assert found.delivery.bounced == expected["bounced"] > 0
    left = {number for number, mine in of.items() if "unsubscribe" in {one[1] for one in mine}}
    assert found.unsubscribed == len(left | {*range(8, what.readers + 1, 500)})
    named = [one for one in found.domains if one.name]
    assert len(named) == MAX_DOMAINS
    assert [one.sent for one in named] == sorted((one.sent for one in named), reverse=True)
    assert found.domains[-1].name == ""
    assert sum(one.sent for one in found.domains) == what.readers


def test_the_latest_bounce_says_why(engine: sa.Engine) -> None:
    make_send(engine, MadeUp(readers=3))
    early = {"type": "blocked", "bounce_classification": "Reputation"}
    late = {"type": "bounce", "bounce_classification": "Mailbox Unavailable", "status": "5.2.2"}
    facts = [(1, 50, late), (1, 20, early), (2, 20, early), (3, 20, {"type": "bounce"})]
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        connection.execute(
            sa.insert(event),
            [row(1, n, (reader, "bounce", at, False)) | {"raw": raw}
             for n, (reader, at, raw) in enumerate(facts)],
        )  # fmt: skip
        found = count_send_results(connection, 1, AT, WEEK)
    assert found.bounces == {
        "mailbox full": 1, "refused for our reputation": 1, "other reasons": 1,
    }  # fmt: skip


def test_values_of_other_kinds_than_sendgrid_s_do_no_harm(engine: sa.Engine) -> None:
    make_send(engine, MadeUp(readers=2))
    odd: list[dict[str, Any]] = [
        {"type": 7, "bounce_classification": {"a": ["b\x1fc"]}, "status": None},
        {"reason": ["x" * 5_000]},
    ]
    kinds = ("bounce", "dropped")
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        for number, (kind, raw) in enumerate(zip(kinds, odd, strict=True), 1):
            one = row(1, number, (number, kind, 5, False)) | {"raw": raw}
            connection.execute(sa.insert(event).values(one))
        for number, url in enumerate((7, None, {"a": 1}, "https://[", "javascript:alert(1)")):
            one = row(1, 10 + number, (1, "click", 500 * number, False)) | {"raw": {"url": url}}
            connection.execute(sa.insert(event).values(one))
        found = count_send_results(connection, 1, AT, WEEK)
        clicked, links = count_clicks(connection, 1, AT, (), ("https://own.example/u/",))
    assert (found.bounces, found.drops) == ({"other reasons": 1}, {"other reasons": 1})
    assert clicked
    assert (clicked.total, [link.url for link in links]) == (5, [""])


@pytest.mark.parametrize(
    ("how", "hours", "counted"),
    [("one_click", 5, 1), ("form", 24 * 6, 1), ("one_click", 24 * 8, 0), ("cli", 5, 0),
     ("webhook", 5, 0), ("one_click", -1, 0)],
)  # fmt: skip
def test_who_left_because_of_it(engine: sa.Engine, how: str, hours: int, counted: int) -> None:
    from newsletter.db.schema import journal

    make_send(engine, MadeUp(readers=3))
    values = {"subscriber_id": 2, "seq": 1, "change": "unsubscribed", "status": "unsubscribed"}
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        connection.execute(
            sa.insert(journal).values(at=AT + datetime.timedelta(hours=hours), method=how, **values)
        )
        assert count_send_results(connection, 1, AT, WEEK).unsubscribed == counted
        # SendGrid's own event of the same reader isn't a second one.
        connection.execute(sa.insert(event).values(row(1, 1, (2, "unsubscribe", 60, False))))
        assert count_send_results(connection, 1, AT, WEEK).unsubscribed == 1


def test_what_happens_after_the_curve_is_later() -> None:
    from newsletter.reports.counts import build_curve

    found = build_curve(
        Counter({-3: 1, 0: 2, CURVE_HOURS - 1: 4, CURVE_HOURS: 8, CURVE_HOURS + 500: 16})
    )
    assert (found.hours[0], found.hours[-1], found.later) == (3, 4, 24)
    assert len(found.hours) == CURVE_HOURS


@pytest.mark.parametrize(
    ("hours", "raw", "bounced"),
    [(5, {}, 1), (24 * 8, {}, 0), (-1, {}, 0), (5, {"nl_notice": "3"}, 0)],
)
def test_a_bounce_that_has_lost_our_ids_is_known_by_its_address(
    engine: sa.Engine, hours: int, raw: dict[str, str], bounced: int
) -> None:
    make_send(engine, MadeUp(readers=3, tracked=False))
    stray = row(1, 1, (2, "bounce", 3_600 * hours, False)) | {"send_id": None, "raw": raw}
    stranger = row(1, 2, (7, "bounce", 3_600, False)) | {"send_id": None}
    with engine.begin() as connection:
        connection.execute(sa.insert(event), [stray, stranger])
        found = count_send_results(connection, 1, AT, WEEK)
    assert (found.delivery.bounced, found.delivery.total) == (bounced, 3)


def test_whoever_was_erased_still_counts_and_has_no_domain(engine: sa.Engine) -> None:
    make_send(engine, MadeUp(readers=20))
    with read_transaction(engine) as connection:
        before = count_send_results(connection, 1, AT, WEEK)
    for number in range(1, 13):
        assert erase_address(engine, address(number), AT)
    with read_transaction(engine) as connection:
        after = count_send_results(connection, 1, AT, WEEK)
        clicked, _ = count_clicks(connection, 1, AT, (), ("https://own.example/",))
    assert after.delivery == before.delivery
    assert_adds_up(after, 20)
    assert clicked
    assert all("erased" not in one.name for one in after.domains)
    assert after.domains[-1].sent >= 12
