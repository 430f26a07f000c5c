"""Events on record and what they change, on both databases; any order, any number of times."""

import datetime
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sending_fixtures import MakeReaders, Subscribe, World, configured

from newsletter.db import read_transaction
from newsletter.db.schema import event, journal, send, subscriber, suppression
from newsletter.events.parse import Event, parse_event
from newsletter.sending.feedback.event_intake import IntakeResult, ingest_events
from newsletter.sending.ledger.record import Ledger
from newsletter.sending.planning.freeze_recipients import freeze_send
from newsletter.sending.providers.sendgrid.payload import PreparedEmail
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

_ids = itertools.count()
Take = Callable[..., IntakeResult]


def made(kind: str, at: int = 0, **fields: Any) -> Event:
    basis = {"sg_event_id": f"made-{next(_ids)}", "email": READER, "event": kind}
    return parse_event({**basis, "timestamp": START + at, **fields})


@pytest.fixture
def take(ledger: Ledger, make_readers: MakeReaders, subscribe: Subscribe) -> Take:
    """Takes events in, for a list of three readers."""
    subscribe(make_readers(3))
    with ledger.engine.begin() as connection:
        for number in (1, 2, 3):
            born = ChangeOrigin(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "cli")
            journals.append_entry(connection, number, born.to_entry("subscribed", "active"))
    return lambda *events: ingest_events(ledger, CONFIG, events)


def standing(engine: sa.Engine, number: int = 1) -> tuple[str, int]:
    """Status and soft bounces; the journal adds up to both."""
    with read_transaction(engine) as connection:
        query = sa.select(subscriber.c.status, subscriber.c.soft_bounces)
        status, bounces = connection.execute(query.where(subscriber.c.id == number)).one()
        lines = journals.to_changes(journals.load_journal(connection, number))
    assert (replay_status(lines), count_soft_bounces(lines)) == (status, bounces)
    return status, bounces


def on_record(engine: sa.Engine) -> int:
    with read_transaction(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(event)).scalar_one()


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("bounce", {"type": "bounce", "reason": "550 no such user"}, "bounced"),
        ("bounce", {"type": "blocked"}, "active"),
        ("bounce", {}, "active"),
        ("dropped", {"reason": "Bounced Address"}, "bounced"),
        ("dropped", {"reason": "Invalid"}, "bounced"),
        ("dropped", {"reason": "Unsubscribed Address"}, "unsubscribed"),
        ("dropped", {"reason": "Spam Reporting Address"}, "complained"),
        ("dropped", {"reason": "Invalid SMTPAPI header"}, "active"),
        ("dropped", {"reason": ["Invalid"]}, "active"),
        ("spamreport", {}, "complained"),
        ("unsubscribe", {}, "unsubscribed"),
        ("group_unsubscribe", {"asm_group_id": 17}, "unsubscribed"),
        ("group_unsubscribe", {"asm_group_id": 18}, "active"),
        ("group_unsubscribe", {"asm_group_id": 18, "nl_send": "1"}, "unsubscribed"),
        ("deferred", {}, "active"),
        ("delivered", {}, "active"),
        ("open", {}, "active"),
        ("teleported", {"email": READER.upper()}, "active"),
    ],
)
def test_what_each_kind_of_event_leads_to(
    take: Take, engine: sa.Engine, kind: str, fields: dict[str, Any], status: str
) -> None:
    one = made(kind, **fields)
    changed = {"active": 0}.get(status, 1)
    first = take(one, one)
    assert (first.new_count, first.known_count, len(first.applied_reports)) == (1, 1, changed)
    assert standing(engine)[0] == status
    again = take(one)
    assert (again.new_count, again.known_count, again.applied_reports) == (0, 1, ())
    assert (on_record(engine), standing(engine, 2)) == (1, ("active", 0))
    with read_transaction(engine) as connection:
        lines = journals.load_journal(connection, 1)[1:]
    assert all((line.method, line.source) == ("webhook", "SendGrid's events") for line in lines)


def test_a_click_that_brings_back_brings_nobody_back(take: Take, engine: sa.Engine) -> None:
    take(made("group_unsubscribe", asm_group_id=17), made("group_resubscribe", 9, asm_group_id=17))
    assert standing(engine)[0] == "unsubscribed"


@pytest.mark.parametrize(
    ("event_of", "status"),
    [
        ({"event": "spamreport"}, "complained"),
        ({"event": "unsubscribe"}, "unsubscribed"),
        ({"event": "bounce", "type": "bounce"}, "active"),
        ({"event": "spamreport", "nl_subscriber": "2"}, "active"),
        ({"event": "spamreport", "nl_send": "999"}, "active"),
    ],
)
def test_who_has_moved_leaves_by_a_mail_to_their_old_address_too(  # noqa: PLR0917 - fixtures
    take: Take,
    engine: sa.Engine,
    ledger: Ledger,
    letter: PreparedEmail,
    event_of: dict[str, Any],
    status: str,
) -> None:
    frozen = freeze_send(ledger, letter)
    with engine.begin() as connection:
        origin = ChangeOrigin(datetime.datetime(2026, 12, 1, tzinfo=datetime.UTC), "form")
        changes.change_address(connection, READER, parse_address("ada@example.org"), origin)
    take(made("spamreport", **{"nl_send": str(frozen.id), "nl_subscriber": "1", **event_of}))
    assert standing(engine)[0] == status
    assert standing(engine, 2)[0] == "active"


def test_soft_bounces_in_a_row_are_a_bounce_and_a_delivery_breaks_the_row(
    take: Take, engine: sa.Engine
) -> None:
    soft = [made("bounce", at, type="blocked") for at in (1, 2, 4, 5, 6)]
    take(*soft[:2])
    assert standing(engine) == ("active", 2)
    take(made("delivered", 3))
    assert standing(engine) == ("active", 0)
    take(soft[3], soft[2])
    assert standing(engine) == ("active", 2)
    (changed,) = take(soft[4], soft[4]).applied_reports
    assert (changed.before, changed.after) == ("active", "bounced")
    assert standing(engine) == ("bounced", 3)


def test_a_delivery_that_is_reported_late_counts_from_its_own_time(
    take: Take, engine: sa.Engine
) -> None:
    take(made("bounce", 5, type="blocked"), made("bounce", 1, type="blocked"))
    take(made("delivered", 3))
    assert standing(engine) == ("active", 1)
    take(made("delivered", 2))
    assert standing(engine) == ("active", 1)


def test_a_delivery_to_somebody_else_counts_for_nobody(take: Take, engine: sa.Engine) -> None:
    other = "reader2@example.com"
    take(made("bounce", 1, type="blocked"), made("bounce", 2, type="blocked", email=other))
    take(made("delivered", 5, email=other))
    assert (standing(engine), standing(engine, 2)) == (("active", 1), ("active", 0))
    take(made("bounce", 4, type="blocked"))
    assert standing(engine) == ("active", 2)


def test_news_from_before_somebody_came_back_is_none(
    take: Take, ledger: Ledger, engine: sa.Engine, world: World
) -> None:
    take(made("unsubscribe", -100), made("bounce", -90, type="blocked"))
    address = parse_address(READER)
    with ledger.engine.begin() as connection:
        back = ChangeOrigin(world.now, "form", "/join", "Yes, send me the letter")
        changes.resubscribe(connection, address, "active", back)
    take(made("bounce", -50, type="bounce"), made("bounce", -40, type="blocked"))
    assert standing(engine) == ("active", 0)
    take(made("bounce", 50, type="blocked"))
    assert standing(engine) == ("active", 1)


def test_strangers_are_kept_out_and_break_nothing(take: Take, engine: sa.Engine) -> None:
    take(
        made("bounce", type="bounce", email="Stranger@Example.com"),
        made("bounce", type="blocked", email="another@example.com"),
        made("delivered", email="another@example.com", nl_send="7", nl_batch="9", nl_attempt="1"),
        made("spamreport", email="no address at all"),
        made("unsubscribe", email=None),
        made("open", email="x" * 100_000),
        made("click", url="https://example.com/" + "a" * 100_000, category=["a", "b"]),
    )
    assert on_record(engine) == 7
    with read_transaction(engine) as connection:
        kept_out = connection.execute(
            sa.select(suppression.c.address_key, suppression.c.reason, suppression.c.source)
        ).all()
    assert kept_out == [("stranger@example.com", "bounced", "SendGrid's events")]


def test_who_was_erased_stays_forgotten(take: Take, engine: sa.Engine, world: World) -> None:
    take(made("delivered"))
    erase_address(engine, READER, world.now)
    take(made("open", 5, email=READER.upper()), made("spamreport", 6))
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(event.c.address_key, event.c.raw)).all()
        assert connection.scalar(sa.select(suppression.c.address_key)) is None
    assert len(rows) == 3
    assert len({row.address_key for row in rows}) == 1
    assert all(row.address_key.startswith("erased:") and row.raw == {} for row in rows)


def test_opens_of_programs_are_marked(take: Take, engine: sa.Engine) -> None:
    person = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML)"
    agents = {
        "person": person,
        "gmail": "Mozilla/5.0 (Windows NT 5.1) Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "bare": "Mozilla/5.0",
        "gateway": f"{person} Barracuda Sentinel (EE)",
        "tool": "python-requests/2.31.0",
        "chat": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    }
    take(
        *(made("click", sg_event_id=name, useragent=agent) for name, agent in agents.items()),
        made("open", sg_event_id="apple", useragent=person, sg_machine_open=True),
        made("open", sg_event_id="asked", useragent=person, sg_machine_open=False),
        made("delivered", sg_event_id="server", useragent="python-requests/2.31.0"),
        made("open", sg_event_id="odd", useragent=7),
    )
    with read_transaction(engine) as connection:
        machines = connection.scalars(sa.select(event.c.sg_event_id).where(event.c.is_bot))
        assert set(machines) == {"bare", "gateway", "tool", "chat", "apple"}


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
def test_a_change_of_the_account_pauses_what_runs(  # noqa: PLR0917 - a table's columns
    take: Take, engine: sa.Engine, world: World, kind: str | None, at: int, state: str
) -> None:
    values = {"content_sha": "", "subject": "", "frozen_at": world.now, "total": 0, "excluded": {}}
    with engine.begin() as connection:
        for issue, before in (("2026-12-01-ice", "running"), ("2026-11-01-fog", "done")):
            connection.execute(sa.insert(send).values(issue=issue, state=before, **values))
    done = take(made("account_status_change", at, type=kind, email=None))
    with read_transaction(engine) as connection:
        rows = connection.execute(sa.select(send.c.state, send.c.reason).order_by(send.c.id)).all()
    assert [row.state for row in rows] == [state, "done"]
    assert done.paused_issues == (("2026-12-01-ice",) if state == "paused" else ())
    assert ("account's status" in rows[0].reason) == (state == "paused")


_KINDS = st.sampled_from(
    [
        ("bounce", {"type": "blocked"}), ("bounce", {"type": "bounce"}), ("delivered", {}),
        ("spamreport", {}), ("unsubscribe", {}), ("dropped", {"reason": "Bounced Address"}),
        ("open", {}), ("group_resubscribe", {"asm_group_id": 17}),
    ]
)  # fmt: skip
_STORIES = st.lists(
    st.tuples(_KINDS, st.integers(1, 9), st.sampled_from(["reader1", "reader2", "stranger"])),
    max_size=12,
)


def _told(take: Take, engine: sa.Engine, parts: Sequence[Sequence[Event]]) -> tuple[Any, ...]:
    """Tell the list a story from its beginning, in parts; what it is in the end."""
    with engine.begin() as connection:
        for table in (event, suppression):
            connection.execute(sa.delete(table))
        connection.execute(sa.update(subscriber).values(status="active", soft_bounces=0))
        # Who was deleted takes their journal along; new ones begin theirs anew.
        rows = connection.execute(sa.select(subscriber)).mappings().all()
        connection.execute(sa.delete(subscriber))
        connection.execute(sa.insert(subscriber), [dict(row) for row in rows])
        for row in rows:
            born = ChangeOrigin(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "cli")
            journals.append_entry(connection, row["id"], born.to_entry("subscribed", "active"))
    new = sum(take(*part).new_count for part in parts)
    with read_transaction(engine) as connection:
        kept_out = connection.execute(
            sa.select(suppression.c.address_key, suppression.c.reason).order_by("address_key")
        ).all()
        lines = connection.execute(sa.select(sa.func.count()).select_from(journal)).scalar_one()
    assert new == on_record(engine)
    assert lines >= len(rows)
    return standing(engine, 1), standing(engine, 2), tuple(map(tuple, kept_out))


def _settled(end: Any) -> Any:
    """All of it, but for the count of a suppressed reader."""
    return end[:1] if end and end[0] in SUPPRESSED_STATUSES else end


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=_STORIES, data=st.data())
def test_order_and_repetition_change_nothing(
    take: Take, engine: sa.Engine, story: list[Any], data: st.DataObject
) -> None:
    # So few that no row of soft bounces is long enough: see the one exception of effects.apply.
    seen: dict[str, int] = {}
    events = []
    for (kind, fields), at, who in story:
        if fields.get("type") == "blocked":
            seen[who] = seen.get(who, 0) + 1
            if seen[who] >= CONFIG.limits.soft_bounces:
                continue
        events.append(made(kind, at, email=f"{who}@example.com", **fields))
    plain = _told(take, engine, [events])
    again = data.draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    mixed = data.draw(st.permutations([*events, *again]))
    size = data.draw(st.integers(1, 5))
    parts = [mixed[start : start + size] for start in range(0, len(mixed), size)]
    # Whoever is suppressed isn't counted any more.
    assert [_settled(one) for one in _told(take, engine, parts)] == [_settled(one) for one in plain]
