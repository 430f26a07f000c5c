"""Counts of a send: every accepted recipient is delivered, bounced, dropped or waiting."""

import datetime
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_send import AT, SampleSend, address, events, make_send

from newsletter.db import read_transaction
from newsletter.db.schema import event, send_recipient
from newsletter.reports.counts import MAX_DOMAINS, count_send_results
from newsletter.reports.engagement import count_clicks, count_opens
from newsletter.reports.model import SendCounts
from newsletter.subscribers.consent.erasure import erase_address

READERS = 6
WEEK = (AT, AT + datetime.timedelta(days=7))
TYPES = (
    "processed", "delivered", "deferred", "bounce", "dropped", "open", "click", "spamreport",
    "unsubscribe", "group_resubscribe",
)  # fmt: skip
SIGNS = {"open", "click", "spamreport", "unsubscribe", "group_unsubscribe"}

EventTuple = tuple[int, str, int, bool]  # recipient, type, seconds after the send, is_bot
EVENT_TUPLES = st.tuples(
    st.integers(1, READERS + 2),  # the last two are not recipients
    st.sampled_from(TYPES),
    st.sampled_from([-10, 0, 1, 2, 3_599, 3_600, 80 * 3_600]),
    st.booleans(),
)


def expected_state(events_of_recipient: Iterable[EventTuple]) -> str:
    """Return the state of one recipient by the documented rule."""
    facts = list(events_of_recipient)
    delivered = [at for _, kind, at, _ in facts if kind == "delivered"]
    bounced = [at for _, kind, at, _ in facts if kind == "bounce"]
    if bounced and (not delivered or max(bounced) >= max(delivered)):
        return "bounced"
    kinds = {kind for _, kind, _, _ in facts}
    if delivered or kinds & SIGNS:
        return "delivered"
    return "dropped" if "dropped" in kinds else "waiting"


def row(send_id: int, number: int, fact: EventTuple) -> dict[str, Any]:
    reader, kind, seconds, is_bot = fact
    return {
        "sg_event_id": f"{send_id}/{number}",
        "type": kind,
        "send_id": send_id,
        "at": AT + datetime.timedelta(seconds=seconds),
        "address_key": address(reader),
        "is_bot": is_bot,
        "raw": {"type": "blocked", "reason": "Bounced Address"},
    }


def event_tuples(rows: Iterable[dict[str, Any]]) -> Iterator[EventTuple]:
    """Yield rows of the table in the form that ``expected_state`` expects."""
    numbers = {address(number): number for number in range(1, 1_001)}
    for values in rows:
        seconds = int((values["at"] - AT).total_seconds())
        yield numbers[values["address_key"]], values["type"], seconds, values["is_bot"]


def assert_adds_up(counts: SendCounts, readers: int) -> None:
    delivery = counts.delivery
    assert delivery.total == readers
    assert sum(counts.bounces.values()) == delivery.bounced
    assert sum(counts.drops.values()) == delivery.dropped
    assert sum(counts.delivery_curve.days) + counts.delivery_curve.later == delivery.delivered
    for name in ("delivered", "bounced", "dropped", "waiting"):
        assert sum(getattr(domain, name) for domain in counts.domains) == getattr(delivery, name)
    for domain in counts.domains:
        assert domain.delivered + domain.bounced + domain.dropped + domain.waiting == domain.sent
    assert sum(domain.complaints for domain in counts.domains) == counts.complaints
    assert counts.still_deferred <= min(counts.deferred, delivery.waiting)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENT_TUPLES, max_size=25))
def test_each_recipient_has_one_state_for_any_events_in_any_order(
    engine: sa.Engine, facts: list[EventTuple]
) -> None:
    if not has_recipients(engine):
        make_send(engine, SampleSend(readers=READERS))
    with engine.connect() as connection, connection.begin() as transaction:
        connection.execute(sa.delete(event))
        if facts:
            connection.execute(sa.insert(event), [row(1, n, fact) for n, fact in enumerate(facts)])
        counts = count_send_results(connection, 1, AT, (AT, AT))
        opened = count_opens(connection, 1, AT)
        transaction.rollback()
    assert_adds_up(counts, READERS)
    by_recipient = {
        reader: [fact for fact in facts if fact[0] == reader] for reader in range(1, READERS + 1)
    }
    expected = Counter(expected_state(history) for history in by_recipient.values())
    assert {name: getattr(counts.delivery, name) for name in expected} == dict(expected)
    assert counts.complaints == sum(
        "spamreport" in {fact[1] for fact in history} for history in by_recipient.values()
    )
    openers = [
        history
        for history in by_recipient.values()
        if any(fact[1] == "open" and not fact[3] for fact in history)
    ]
    assert (opened.readers if opened else 0) == len(openers)
    if opened:
        assert sum(opened.curve.days) + opened.curve.later == opened.readers


def has_recipients(engine: sa.Engine) -> bool:
    with read_transaction(engine) as connection:
        return bool(connection.scalar(sa.select(sa.func.count()).select_from(send_recipient)))


def test_counts_match_the_generated_events(engine: sa.Engine) -> None:
    made_up = SampleSend(readers=1_000)
    send_id = make_send(engine, made_up)
    with read_transaction(engine) as connection:
        counts = count_send_results(connection, send_id, AT, WEEK)
    assert_adds_up(counts, made_up.readers)
    by_recipient: dict[int, list[EventTuple]] = {
        number: [] for number in range(1, made_up.readers + 1)
    }
    for fact in event_tuples(events(made_up, send_id)):
        by_recipient[fact[0]].append(fact)
    expected = Counter(expected_state(history) for history in by_recipient.values())
    assert counts.delivery.delivered == expected["delivered"] > 900
    assert counts.delivery.bounced == expected["bounced"] > 0
    unsubscribed = {
        number
        for number, history in by_recipient.items()
        if "unsubscribe" in {fact[1] for fact in history}
    }
    assert counts.unsubscribed == len(unsubscribed | {*range(8, made_up.readers + 1, 500)})
    named = [domain for domain in counts.domains if domain.name]
    assert len(named) == MAX_DOMAINS
    assert [domain.sent for domain in named] == sorted(
        (domain.sent for domain in named), reverse=True
    )
    assert counts.domains[-1].name == ""
    assert sum(domain.sent for domain in counts.domains) == made_up.readers


def test_bounce_reason_is_that_of_the_latest_bounce(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=3))
    early = {"type": "blocked", "bounce_classification": "Reputation"}
    late = {"type": "bounce", "bounce_classification": "Mailbox Unavailable", "status": "5.2.2"}
    facts = [(1, 50, late), (1, 20, early), (2, 20, early), (3, 20, {"type": "bounce"})]
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        connection.execute(
            sa.insert(event),
            [
                row(1, n, (reader, "bounce", at, False)) | {"raw": raw}
                for n, (reader, at, raw) in enumerate(facts)
            ],
        )
        counts = count_send_results(connection, 1, AT, WEEK)
    assert counts.bounces == {
        "mailbox full": 1,
        "refused for our reputation": 1,
        "other reasons": 1,
    }


def test_values_of_unexpected_types_are_counted(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=2))
    unexpected: list[dict[str, Any]] = [
        {"type": 7, "bounce_classification": {"a": ["b\x1fc"]}, "status": None},
        {"reason": ["x" * 5_000]},
    ]
    kinds = ("bounce", "dropped")
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        for number, (kind, raw) in enumerate(zip(kinds, unexpected, strict=True), 1):
            values = row(1, number, (number, kind, 5, False)) | {"raw": raw}
            connection.execute(sa.insert(event).values(values))
        for number, url in enumerate((7, None, {"a": 1}, "https://[", "javascript:alert(1)")):
            values = row(1, 10 + number, (1, "click", 500 * number, False)) | {"raw": {"url": url}}
            connection.execute(sa.insert(event).values(values))
        counts = count_send_results(connection, 1, AT, WEEK)
        clicked, links = count_clicks(connection, 1, AT, (), ("https://own.example/u/",))
    assert (counts.bounces, counts.drops) == ({"other reasons": 1}, {"other reasons": 1})
    assert clicked
    assert (clicked.total, [link.url for link in links]) == (5, [""])


@pytest.mark.parametrize(
    ("method", "hours", "counted"),
    [("one_click", 5, 1), ("form", 24 * 6, 1), ("one_click", 24 * 8, 0), ("cli", 5, 0),
     ("webhook", 5, 0), ("one_click", -1, 0)],
)  # fmt: skip
def test_unsubscribes_on_own_pages_are_attributed_for_a_week(
    engine: sa.Engine, method: str, hours: int, counted: int
) -> None:
    from newsletter.db.schema import journal

    make_send(engine, SampleSend(readers=3))
    values = {"subscriber_id": 2, "seq": 1, "change": "unsubscribed", "status": "unsubscribed"}
    with engine.begin() as connection:
        connection.execute(sa.delete(event))
        connection.execute(
            sa.insert(journal).values(
                at=AT + datetime.timedelta(hours=hours), method=method, **values
            )
        )
        assert count_send_results(connection, 1, AT, WEEK).unsubscribed == counted
        # SendGrid's event about the same recipient is not counted again.
        connection.execute(sa.insert(event).values(row(1, 1, (2, "unsubscribe", 60, False))))
        assert count_send_results(connection, 1, AT, WEEK).unsubscribed == 1


def test_counts_after_the_curve_are_later() -> None:
    from newsletter.reports.counts import build_curve

    curve = build_curve(Counter({-3: 1, 0: 2, 23: 4, 24: 8, 167: 16, 168: 32, 900: 64}))
    assert (len(curve.hours), curve.hours[0], curve.hours[-1]) == (24, 3, 4)
    assert (curve.days, curve.later) == ((7, 8, 0, 0, 0, 0, 16), 96)


@pytest.mark.parametrize(
    ("hours", "raw", "bounced"),
    [(5, {}, 1), (24 * 8, {}, 0), (-1, {}, 0), (5, {"nl_notice": "3"}, 0)],
)
def test_bounce_without_our_ids_is_attributed_by_its_address(
    engine: sa.Engine, hours: int, raw: dict[str, str], bounced: int
) -> None:
    make_send(engine, SampleSend(readers=3, tracked=False))
    without_ids = row(1, 1, (2, "bounce", 3_600 * hours, False)) | {"send_id": None, "raw": raw}
    not_a_recipient = row(1, 2, (7, "bounce", 3_600, False)) | {"send_id": None}
    with engine.begin() as connection:
        connection.execute(sa.insert(event), [without_ids, not_a_recipient])
        counts = count_send_results(connection, 1, AT, WEEK)
    assert (counts.delivery.bounced, counts.delivery.total) == (bounced, 3)


def test_erased_subscriber_is_counted_without_a_domain(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=20))
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
    assert all("erased" not in domain.name for domain in after.domains)
    assert after.domains[-1].sent >= 12
