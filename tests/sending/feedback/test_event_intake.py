"""Stored events and what they change, on both databases; in any order, any number of times."""

import datetime
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sending_fixtures import FakeObserver, MakeReaders, Subscribe, configured

from newsletter.db import read_transaction
from newsletter.db.schema import event, journal, send, subscriber, suppression
from newsletter.events.parse import Event, parse_event
from newsletter.sending.feedback.event_intake import IntakeResult, ingest_events
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.prepared_email import PreparedEmail
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent import journal as journals
from newsletter.subscribers.consent.erasure import erase_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    count_soft_bounces,
    replay_status,
)

CONFIG = configured(limits={"soft_bounces": 3}, sendgrid={"asm_group": 17})
READER = "reader1@example.com"
START = 1_796_115_600
HOUR = datetime.timedelta(hours=1)

_ids = itertools.count()
Ingest = Callable[..., IntakeResult]


def make_event(kind: str, at: int = 0, **fields: Any) -> Event:
    required = {"sg_event_id": f"event-{next(_ids)}", "email": READER, "event": kind}
    return parse_event({**required, "timestamp": START + at, **fields})


@pytest.fixture
def ingest(ledger: Ledger, make_readers: MakeReaders, subscribe: Subscribe) -> Ingest:
    """Return a function that ingests events, for a list of three subscribers."""
    subscribe(make_readers(3))
    with ledger.engine.begin() as connection:
        for number in (1, 2, 3):
            origin = ChangeOrigin(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "cli")
            journals.append_entry(connection, number, origin.to_entry("subscribed", "active"))
    return lambda *events: ingest_events(ledger, CONFIG, events)


def load_status(engine: sa.Engine, number: int = 1) -> tuple[str, int]:
    """Return status and soft bounces; assert that the journal yields the same."""
    with read_transaction(engine) as connection:
        query = sa.select(subscriber.c.status, subscriber.c.soft_bounces)
        status, bounces = connection.execute(query.where(subscriber.c.id == number)).one()
        lines = journals.to_changes(journals.load_journal(connection, number))
    assert (replay_status(lines), count_soft_bounces(lines)) == (status, bounces)
    return status, bounces


def count_events(engine: sa.Engine) -> int:
    with read_transaction(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(event)).scalar_one()


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("bounce", {"type": "bounce", "reason": "550 no such user"}, "bounced"),
        ("bounce", {"type": "blocked"}, "active"),
        ("bounce", {}, "active"),
        ("bounce", {"type": "bounced", "status": "5.1.1"}, "bounced"),
        ("bounce", {"type": "", "status": "5.1.10"}, "bounced"),
        ("bounce", {"reason": "550 5.1.1 no such user"}, "bounced"),
        ("bounce", {"status": "5.2.1 mailbox disabled"}, "bounced"),
        ("bounce", {"status": "5.1.1."}, "bounced"),
        ("bounce", {"status": "5.0.0", "reason": "550 5.1.1 no such user"}, "bounced"),
        ("bounce", {"type": None, "status": "5.2.2"}, "active"),
        ("bounce", {"type": "bounced", "status": "4.1.1"}, "active"),
        ("bounce", {"type": "bounced", "status": "5.7.1"}, "active"),
        ("bounce", {"type": "bounced", "reason": "server 10.5.1.1 is busy"}, "active"),
        ("bounce", {"type": "bounced", "status": ["5.1.1"]}, "bounced"),
        ("bounce", {"type": "blocked", "status": "5.1.1"}, "active"),
        ("bounce", {"type": ["bounce"], "status": "5.1.1"}, "bounced"),
        ("dropped", {"reason": "Bounced Address"}, "bounced"),
        ("dropped", {"reason": "Invalid"}, "bounced"),
        ("dropped", {"reason": "Unsubscribed Address"}, "unsubscribed"),
        ("dropped", {"reason": "Spam Reporting Address"}, "complained"),
        ("dropped", {"reason": "Invalid SMTPAPI header"}, "active"),
        ("dropped", {"reason": ["Invalid"]}, "active"),
        ("spamreport", {}, "complained"),
        ("unsubscribe", {}, "unsubscribed"),
        ("group_unsubscribe", {"asm_group_id": 17}, "unsubscribed"),
        ("group_unsubscribe", {"asm_group_id": "17"}, "unsubscribed"),
        ("group_unsubscribe", {"asm_group_id": "18"}, "active"),
        ("group_unsubscribe", {}, "unsubscribed"),
        ("group_unsubscribe", {"asm_group_id": 18}, "active"),
        ("group_unsubscribe", {"asm_group_id": 18, "nl_send": "1"}, "unsubscribed"),
        ("deferred", {}, "active"),
        ("delivered", {}, "active"),
        ("open", {}, "active"),
        ("teleported", {"email": READER.upper()}, "active"),
    ],
)
def test_status_after_each_kind_of_event(
    ingest: Ingest, engine: sa.Engine, kind: str, fields: dict[str, Any], status: str
) -> None:
    reported = make_event(kind, **fields)
    changed = {"active": 0}.get(status, 1)
    first = ingest(reported, reported)
    assert (first.new_count, first.known_count, len(first.applied_reports)) == (1, 1, changed)
    assert load_status(engine)[0] == status
    again = ingest(reported)
    assert (again.new_count, again.known_count, again.applied_reports) == (0, 1, ())
    assert (count_events(engine), load_status(engine, 2)) == (1, ("active", 0))
    with read_transaction(engine) as connection:
        lines = journals.load_journal(connection, 1)[1:]
    assert all((line.method, line.source) == ("webhook", "SendGrid's events") for line in lines)


def test_every_report_of_a_body_is_applied(ingest: Ingest, engine: sa.Engine) -> None:
    kinds = ("unsubscribe", "spamreport", "unsubscribe")
    ingest(
        *(
            make_event(kind, number, email=f"reader{number}@example.com")
            for number, kind in enumerate(kinds, start=1)
        )
    )
    statuses = [load_status(engine, number)[0] for number in (1, 2, 3)]
    assert statuses == ["unsubscribed", "complained", "unsubscribed"]


def test_group_resubscribe_does_not_resubscribe(ingest: Ingest, engine: sa.Engine) -> None:
    ingest(
        make_event("group_unsubscribe", asm_group_id=17),
        make_event("group_resubscribe", 9, asm_group_id=17),
    )
    assert load_status(engine)[0] == "unsubscribed"


@pytest.mark.parametrize(
    ("event_fields", "status"),
    [
        ({"event": "spamreport"}, "complained"),
        ({"event": "unsubscribe"}, "unsubscribed"),
        ({"event": "bounce", "type": "bounce"}, "active"),
        ({"event": "spamreport", "nl_subscriber": "2"}, "active"),
        ({"event": "spamreport", "nl_send": "999"}, "active"),
    ],
)
def test_event_for_the_old_address_applies_after_a_change_of_address(
    ingest: Ingest,
    engine: sa.Engine,
    ledger: Ledger,
    prepared: PreparedEmail,
    event_fields: dict[str, Any],
    status: str,
) -> None:
    frozen = freeze_send(ledger, prepared)
    with engine.begin() as connection:
        origin = ChangeOrigin(datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC), "form")
        changes.change_address(connection, READER, parse_address("ada@example.org"), origin)
    ingest(
        make_event(
            "spamreport", **{"nl_send": str(frozen.id), "nl_subscriber": "1", **event_fields}
        )
    )
    assert load_status(engine)[0] == status
    assert load_status(engine, 2)[0] == "active"


def test_consecutive_soft_bounces_count_as_a_bounce_and_a_delivery_resets_them(
    ingest: Ingest, engine: sa.Engine
) -> None:
    soft = [make_event("bounce", at, type="blocked") for at in (1, 2, 4, 5, 6)]
    ingest(*soft[:2])
    assert load_status(engine) == ("active", 2)
    ingest(make_event("delivered", 3))
    assert load_status(engine) == ("active", 0)
    ingest(soft[3], soft[2])
    assert load_status(engine) == ("active", 2)
    (changed,) = ingest(soft[4], soft[4]).applied_reports
    assert (changed.before, changed.after, changed.listed) == ("active", "bounced", True)
    assert load_status(engine) == ("bounced", 3)


@pytest.mark.parametrize(
    ("fields", "wording"),
    [
        ({"reason": "452 4.2.2\r\n mailbox full", "status": "4.2.2"}, "452 4.2.2 mailbox full"),
        ({"reason": "", "status": "4.2.2"}, "4.2.2"),
        ({"status": "4.2.2"}, "4.2.2"),
        ({}, ""),
        ({"reason": "x" * 501}, "x" * 500),
    ],
)
def test_reason_of_the_last_soft_bounce_is_reported(
    ingest: Ingest, fields: dict[str, str], wording: str
) -> None:
    soft = [make_event("bounce", at, type="blocked") for at in (1, 2)]
    last, opened = make_event("bounce", 3, type="blocked", **fields), make_event("open", 4)
    (changed,) = ingest(*soft, last, opened).applied_reports
    assert (changed.after, changed.wording) == ("bounced", wording)


@pytest.mark.parametrize("cause", ["delivery", "resubscription"])
def test_soft_bounce_at_the_moment_of_its_reset_does_not_count(
    ingest: Ingest, engine: sa.Engine, cause: str
) -> None:
    if cause == "delivery":
        ingest(make_event("delivered"))
    else:
        ingest(make_event("unsubscribe", -9))
        resubscribe(engine, 0)
    ingest(make_event("bounce", 0, type="blocked"))
    assert load_status(engine) == ("active", 0)
    ingest(make_event("bounce", 1, type="blocked"))
    assert load_status(engine) == ("active", 1)


@pytest.mark.parametrize(
    "same_email",
    [{"nl_send": "7"}, {"sg_message_id": "m1.filter.1"}, {"nl_send": "7", "sg_message_id": ""}],
)
def test_soft_bounce_of_one_email_counts_once_under_any_number_of_ids(
    ingest: Ingest, engine: sa.Engine, same_email: dict[str, str]
) -> None:
    ingest(*(make_event("bounce", at, type="blocked", **same_email) for at in (1, 1, 2)))
    ingest(make_event("bounce", 3, type="blocked", **same_email))
    assert load_status(engine) == ("active", 1)
    ingest(make_event("bounce", 4, type="blocked", nl_send="8"))
    assert load_status(engine) == ("active", 2)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_soft_bounce_that_lacks_the_send_counts_with_the_others_of_its_email(
    ingest: Ingest, engine: sa.Engine, order: tuple[int, ...]
) -> None:
    reports = [
        {"nl_send": "7", "sg_message_id": "m1.filter.1"},
        {"sg_message_id": "m1.filter.1"},
        {"nl_send": "7"},
    ]
    events = [
        make_event("bounce", at, type="blocked", **fields) for at, fields in enumerate(reports)
    ]
    ingest(*(events[index] for index in order))
    assert load_status(engine) == ("active", 1)
    other_reader = {"sg_message_id": "m1.filter.1", "email": "reader2@example.com"}
    ingest(make_event("bounce", 5, type="blocked", **other_reader))
    assert load_status(engine, 2) == ("active", 1)
    ingest(make_event("bounce", 6, type="blocked", sg_message_id="m2.filter.1"))
    assert load_status(engine) == ("active", 2)


def test_email_that_was_taken_for_two_counts_as_one_with_the_next_soft_bounce(
    ingest: Ingest, engine: sa.Engine
) -> None:
    send_id, message_id = {"nl_send": "7"}, {"sg_message_id": "m1.filter.1"}
    for at, fields in enumerate((send_id, message_id, send_id | message_id, {"nl_send": "8"})):
        ingest(make_event("bounce", at, type="blocked", **fields))
    assert load_status(engine) == ("active", 2)


def test_delivery_names_the_send_of_a_soft_bounce(ingest: Ingest, engine: sa.Engine) -> None:
    ingest(make_event("processed", 0, nl_send="7", sg_message_id="m1.filter.1"))
    ingest(make_event("bounce", 1, type="blocked", sg_message_id="m1.filter.1"))
    ingest(make_event("bounce", 2, type="blocked", nl_send="7"))
    assert load_status(engine) == ("active", 1)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("unsubscribe", "unsubscribed"),
        ("group_unsubscribe", "unsubscribed"),
        ("spamreport", "complained"),
    ],
)
def test_unsubscribe_without_an_event_id_is_applied_once(
    ingest: Ingest, engine: sa.Engine, kind: str, status: str
) -> None:
    reported = make_event(kind, sg_event_id=None, asm_group_id=17)
    assert ingest(reported, reported).new_count == 1
    assert load_status(engine)[0] == status
    assert ingest(reported).known_count == 1


def make_timeless_event(kind: str, hours: int, **fields: Any) -> Event:
    """Return an event without id and time, received ``hours`` after the start."""
    received_at = datetime.datetime.fromtimestamp(START, datetime.UTC) + hours * HOUR
    return parse_event({"email": READER, "event": kind, **fields}, received_at)


def resubscribe(engine: sa.Engine, hours: int, address: str = READER) -> None:
    with engine.begin() as connection:
        at = datetime.datetime.fromtimestamp(START, datetime.UTC) + hours * HOUR
        origin = ChangeOrigin(at, "form", "/join", "Yes, send me the letter")
        changes.resubscribe(connection, parse_address(address), "active", origin)


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("unsubscribe", {}, "unsubscribed"),
        ("unsubscribe", {"timestamp": 0}, "unsubscribed"),
        ("group_unsubscribe", {"asm_group_id": 17}, "unsubscribed"),
        ("spamreport", {}, "complained"),
        ("dropped", {"reason": "Unsubscribed Address"}, "unsubscribed"),
    ],
)
def test_reader_who_leaves_again_is_not_lost_for_lack_of_id_and_time(
    ingest: Ingest, engine: sa.Engine, kind: str, fields: dict[str, Any], status: str
) -> None:
    ingest(make_timeless_event(kind, 1, **fields))
    resubscribe(engine, 2)
    again = make_timeless_event(kind, 3, **fields)
    result = ingest(again, again)
    assert (result.new_count, len(result.applied_reports)) == (1, 1)
    assert load_status(engine)[0] == status
    # While the reader is unsubscribed, it is the same event.
    assert ingest(make_timeless_event(kind, 4, **fields)).new_count == 0
    resubscribe(engine, 5)
    assert ingest(make_timeless_event(kind, 6, **fields)).new_count == 1
    assert (load_status(engine)[0], count_events(engine)) == (status, 3)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("unsubscribe", {"sg_event_id": "e1"}),
        ("unsubscribe", {"timestamp": START + 3600}),
        ("open", {}),
        ("group_unsubscribe", {"asm_group_id": 18}),
    ],
)
def test_the_same_event_does_not_unsubscribe_who_has_returned(
    ingest: Ingest, engine: sa.Engine, kind: str, fields: dict[str, Any]
) -> None:
    ingest(make_timeless_event(kind, 1, **fields))
    if load_status(engine)[0] != "active":
        resubscribe(engine, 2)
    assert ingest(make_timeless_event(kind, 3, **fields)).new_count == 0
    assert load_status(engine)[0] == "active"


def test_moved_reader_who_leaves_again_is_not_lost(
    ingest: Ingest, engine: sa.Engine, ledger: Ledger, prepared: PreparedEmail
) -> None:
    ours = {"nl_send": str(freeze_send(ledger, prepared).id), "nl_subscriber": "1"}
    with engine.begin() as connection:
        origin = ChangeOrigin(datetime.datetime.fromtimestamp(START, datetime.UTC), "form")
        changes.change_address(connection, READER, parse_address("ada@example.org"), origin)
    ingest(make_timeless_event("unsubscribe", 1, **ours))
    resubscribe(engine, 2, "ada@example.org")
    assert load_status(engine)[0] == "active"
    ingest(make_timeless_event("unsubscribe", 3, **ours))
    assert load_status(engine)[0] == "unsubscribed"


def test_delivery_that_is_reported_late_counts_from_its_own_time(
    ingest: Ingest, engine: sa.Engine
) -> None:
    ingest(make_event("bounce", 5, type="blocked"), make_event("bounce", 1, type="blocked"))
    ingest(make_event("delivered", 3))
    assert load_status(engine) == ("active", 1)
    ingest(make_event("delivered", 2))
    assert load_status(engine) == ("active", 1)


def test_delivery_to_another_subscriber_resets_nothing(ingest: Ingest, engine: sa.Engine) -> None:
    other = "reader2@example.com"
    ingest(
        make_event("bounce", 1, type="blocked"),
        make_event("bounce", 2, type="blocked", email=other),
    )
    ingest(make_event("delivered", 5, email=other))
    assert (load_status(engine), load_status(engine, 2)) == (("active", 1), ("active", 0))
    ingest(make_event("bounce", 4, type="blocked"))
    assert load_status(engine) == ("active", 2)


def test_events_from_before_a_resubscription_are_ignored(
    ingest: Ingest, ledger: Ledger, engine: sa.Engine, observer: FakeObserver
) -> None:
    ingest(make_event("unsubscribe", -100), make_event("bounce", -90, type="blocked"))
    address = parse_address(READER)
    with ledger.engine.begin() as connection:
        origin = ChangeOrigin(observer.now, "form", "/join", "Yes, send me the letter")
        changes.resubscribe(connection, address, "active", origin)
    ingest(make_event("bounce", -50, type="bounce"), make_event("bounce", -40, type="blocked"))
    assert load_status(engine) == ("active", 0)
    ingest(make_event("bounce", 50, type="blocked"))
    assert load_status(engine) == ("active", 1)


@pytest.mark.parametrize("how", ["subscribed", "resubscribed", "confirmed", "moved"])
def test_soft_bounces_from_before_the_address_was_known_to_work_are_ignored(
    ingest: Ingest, engine: sa.Engine, how: str
) -> None:
    address = parse_address("ada@example.org")
    for at in (-300, -200, -100):
        ingest(make_event("bounce", at, type="blocked", email=address.address))
    origin = ChangeOrigin(datetime.datetime.fromtimestamp(START, datetime.UTC), "form", "/join")
    origin = origin._replace(wording="Yes, send me the letter")
    with engine.begin() as connection:
        # PostgreSQL's sequence does not know the ids that the fixture has given.
        connection.execute(sa.delete(subscriber).where(subscriber.c.address_key == READER))
        if how == "moved":
            changes.change_address(connection, "reader2@example.com", address, origin)
        elif how == "resubscribed":
            changes.resubscribe(connection, address, "active", origin)
        elif how == "subscribed":
            changes.subscribe(connection, address, "active", origin)
        else:
            changes.subscribe(connection, address, "pending", origin._replace(at=origin.at - HOUR))
            changes.confirm(connection, address.key, origin)
        is_ada = subscriber.c.address_key == address.key
        number = connection.scalars(sa.select(subscriber.c.id).where(is_ada)).one()
    ingest(make_event("bounce", -50, type="blocked", email=address.address))
    assert load_status(engine, number) == ("active", 0)
    ingest(make_event("bounce", 50, type="blocked", email=address.address))
    assert load_status(engine, number) == ("active", 1)


def test_unknown_addresses_are_suppressed_and_malformed_events_are_stored(
    ingest: Ingest, engine: sa.Engine
) -> None:
    ingest(
        make_event("bounce", type="bounce", email="Stranger@Example.com"),
        make_event("bounce", type="blocked", email="another@example.com"),
        make_event(
            "delivered", email="another@example.com", nl_send="7", nl_batch="9", nl_attempt="1"
        ),
        make_event("spamreport", email="no address at all"),
        make_event("open", email="x" * 100_000),
        make_event("click", url="https://example.com/" + "a" * 100_000, category=["a", "b"]),
    )
    assert count_events(engine) == 6
    with read_transaction(engine) as connection:
        suppressed = connection.execute(
            sa.select(suppression.c.address_key, suppression.c.reason, suppression.c.source)
        ).all()
    assert suppressed == [("stranger@example.com", "bounced", "SendGrid's events")]


def test_events_of_an_erased_address_are_stored_without_it(
    ingest: Ingest, engine: sa.Engine, observer: FakeObserver
) -> None:
    ingest(make_event("delivered"))
    erase_address(engine, READER, observer.now)
    ingest(make_event("open", 5, email=READER.upper()), make_event("spamreport", 6))
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(event.c.address_key, event.c.raw)).all()
        assert connection.scalar(sa.select(suppression.c.address_key)) is None
    assert len(rows) == 3
    assert len({row.address_key for row in rows}) == 1
    assert all(row.address_key.startswith("erased:") and row.raw == {} for row in rows)


def test_events_of_bots_are_marked(ingest: Ingest, engine: sa.Engine) -> None:
    person = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML)"
    agents = {
        "person": person,
        "gmail": "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "bare": "Mozilla/5.0",
        "gateway": f"{person} Barracuda Sentinel (EE)",
        "tool": "python-requests/2.31.0",
        "chat": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    }
    ingest(
        *(make_event("click", sg_event_id=name, useragent=agent) for name, agent in agents.items()),
        make_event("open", sg_event_id="apple", useragent=person, sg_machine_open=True),
        make_event("open", sg_event_id="asked", useragent=person, sg_machine_open=False),
        make_event("delivered", sg_event_id="server", useragent="python-requests/2.31.0"),
        make_event("open", sg_event_id="odd", useragent=7),
    )
    with read_transaction(engine) as connection:
        bot_events = connection.scalars(sa.select(event.c.sg_event_id).where(event.c.is_bot))
        assert set(bot_events) == {"bare", "gateway", "tool", "chat", "apple"}


@pytest.mark.parametrize(
    ("kind", "at", "state"),
    [
        ("compliance_suspend", 10, "paused"),
        ("compliance_deactivate", 10, "paused"),
        (None, 10, "paused"),
        ("compliance_activate", 10, "running"),
        ("compliance_suspend", -10, "running"),
    ],
)
def test_change_of_the_account_pauses_running_sends(
    ingest: Ingest, engine: sa.Engine, observer: FakeObserver, kind: str | None, at: int, state: str
) -> None:
    values = {
        "content_sha": "",
        "subject": "",
        "frozen_at": observer.now,
        "total": 0,
        "excluded": {},
    }
    with engine.begin() as connection:
        for issue, before in (("2026-12-01-ice", "running"), ("2026-11-01-fog", "done")):
            connection.execute(sa.insert(send).values(issue=issue, state=before, **values))
    result = ingest(make_event("account_status_change", at, type=kind, email=None))
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(send.c.state, send.c.reason).order_by(send.c.id)).all()
    assert [row.state for row in rows] == [state, "done"]
    assert result.paused_issues == (("2026-12-01-ice",) if state == "paused" else ())
    assert ("account's status" in rows[0].reason) == (state == "paused")


_KINDS = st.sampled_from(
    [
        ("bounce", {"type": "blocked"}), ("bounce", {"type": "bounce"}), ("delivered", {}),
        ("spamreport", {}), ("unsubscribe", {}), ("dropped", {"reason": "Bounced Address"}),
        ("open", {}), ("group_resubscribe", {"asm_group_id": 17}),
    ]
)  # fmt: skip
_HISTORIES = st.lists(
    st.tuples(_KINDS, st.integers(1, 9), st.sampled_from(["reader1", "reader2", "stranger"])),
    max_size=12,
)


def _ingest_from_start(
    ingest: Ingest, engine: sa.Engine, parts: Sequence[Sequence[Event]]
) -> tuple[Any, ...]:
    """Reset the list, ingest events in parts, and return the resulting statuses."""
    with engine.begin() as connection:
        for table in (event, suppression):
            connection.execute(sa.delete(table))
        connection.execute(sa.update(subscriber).values(status="active", soft_bounces=0))
        # Deleting subscribers deletes their journal; inserting them starts a new one.
        rows = connection.execute(sa.select(subscriber)).mappings().all()
        connection.execute(sa.delete(subscriber))
        connection.execute(sa.insert(subscriber), [dict(row) for row in rows])
        for row in rows:
            origin = ChangeOrigin(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "cli")
            journals.append_entry(connection, row["id"], origin.to_entry("subscribed", "active"))
    new_count = sum(ingest(*part).new_count for part in parts)
    with read_transaction(engine) as connection:
        suppressed = connection.execute(
            sa.select(suppression.c.address_key, suppression.c.reason).order_by("address_key")
        ).all()
        lines = connection.execute(sa.select(sa.func.count()).select_from(journal)).scalar_one()
    assert new_count == count_events(engine)
    assert lines >= len(rows)
    return load_status(engine, 1), load_status(engine, 2), tuple(map(tuple, suppressed))


def _comparable(status: Any) -> Any:
    """Return the status; without the soft bounces, if suppressed: they aren't counted then."""
    return status[:1] if status and status[0] in SUPPRESSED_STATUSES else status


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=_HISTORIES, data=st.data())
def test_order_and_repetition_of_events_change_nothing(
    ingest: Ingest, engine: sa.Engine, history: list[Any], data: st.DataObject
) -> None:
    # Too few soft bounces for a bounce: see the exception that apply_events documents.
    soft_bounces: dict[str, int] = {}
    events = []
    for (kind, fields), at, name in history:
        if fields.get("type") == "blocked":
            soft_bounces[name] = soft_bounces.get(name, 0) + 1
            if soft_bounces[name] >= CONFIG.limits.soft_bounces:
                continue
        events.append(make_event(kind, at, email=f"{name}@example.com", **fields))
    expected = _ingest_from_start(ingest, engine, [events])
    repeated = data.draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    shuffled = data.draw(st.permutations([*events, *repeated]))
    size = data.draw(st.integers(1, 5))
    parts = [shuffled[start : start + size] for start in range(0, len(shuffled), size)]
    actual = _ingest_from_start(ingest, engine, parts)
    assert [_comparable(status) for status in actual] == [
        _comparable(status) for status in expected
    ]
