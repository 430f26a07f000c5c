"""``opened:``, ``clicked:`` and ``delivered:``: for which sends they are known, and for whom."""

import datetime
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from newsletter.config import Config
from newsletter.config.tracking import TrackingOptions
from newsletter.db import read_transaction
from newsletter.db.schema import batch, event, send, send_recipient, subscriber, subscriber_tag
from newsletter.errors import SubscriberListError
from newsletter.subscribers import count_exclusions, count_subscribers
from newsletter.subscribers.segments import find_segment
from newsletter.subscribers.segments.known_sends import (
    KnownSend,
    TrackingEvidence,
    engagement_problem,
    judge_tracking,
    load_known_sends,
)
from newsletter.subscribers.send_names import make_catch_up_name
from newsletter.subscribers.tracking_record import RequestedTracking, insert_tracking

NOW = datetime.datetime(2026, 11, 22, 9, 0, tzinfo=datetime.UTC)
CONFIG = Config.model_validate(
    {
        "name": "Harbour Notes",
        "sender": {"name": "Harbour Notes", "address": "editor@harbour-notes.org"},
        "site_url": "https://harbour-notes.org",
        "segments": {"sleepers": "tag:x and not opened:last-5"},
    }
)
ICE, FOG, TIDE = "2026-11-15-ice", "2026-11-08-fog", "2026-11-01-tide"
BOTH = TrackingOptions(opens="all", clicks="all")
NEITHER = TrackingOptions()

OPENER, SLEEPER, MOVED, NEWCOMER, BOT, LOST, TAGGED, CLICKER = range(1, 9)
PEOPLE = range(1, 9)


def insert_send(
    engine: sa.Engine,
    id_: int,
    issue: str,
    *,
    states: dict[int, str] | None = None,
    events: Sequence[tuple[int, str] | tuple[int, str, bool]] = (),
    tracking: Sequence[TrackingOptions] = (BOTH,),
    batch_state: str = "accepted",
    recalled_at: datetime.datetime | None = None,
) -> None:
    """Insert a send with its recipients (id -> state) and events (id, type, is it a bot's)."""
    with engine.begin() as connection:
        row: dict[str, Any] = {
            "id": id_, "issue": issue, "state": "done", "content_sha": "", "subject": "",
            "frozen_at": NOW - datetime.timedelta(days=id_), "total": 0, "excluded": {},
            "recalled_at": recalled_at,
            "scheduled_at": recalled_at and recalled_at + datetime.timedelta(minutes=10),
        }  # fmt: skip
        connection.execute(sa.insert(send).values(row))
        row = {"id": id_, "send_id": id_, "number": 1, "size": 0, "state": batch_state}
        connection.execute(sa.insert(batch).values(row))
        for person, state in (states or {}).items():
            row = {"send_id": id_, "subscriber_id": person, "batch_id": id_, "state": state}
            row |= {"address_key": key_in_send(person), "root_id": id_}
            connection.execute(sa.insert(send_recipient).values(row | {"error": "a reason"}))
        for number, (person, type_, *is_bot) in enumerate(events):
            row = {
                "sg_event_id": f"{id_}-{number}", "type": type_, "at": NOW, "raw": {},
                "send_id": id_, "address_key": key_in_send(person), "is_bot": bool(any(is_bot)),
            }  # fmt: skip
            connection.execute(sa.insert(event).values(row))
        for options in tracking:
            insert_tracking(connection, issue, options, is_partly_sent=False)


def key_in_send(person: int) -> str:
    """Return the address key that a person had when the issues were sent."""
    return "before@example.com" if person == MOVED else f"reader{person}@example.com"


@pytest.fixture
def readers(engine: sa.Engine) -> sa.Engine:
    """Eight active readers; two have the tag ``x``."""
    with engine.begin() as connection:
        for person in PEOPLE:
            key = f"reader{person}@example.com"
            row = {
                "id": person, "address": key, "address_key": key, "name": "", "status": "active",
                "source": "", "attributes": {}, "token": f"token-{person}", "joined_at": NOW,
                "updated_at": NOW,
            }  # fmt: skip
            connection.execute(sa.insert(subscriber).values(row))
        rows = [{"subscriber_id": person, "tag": "x"} for person in (TAGGED, NEWCOMER)]
        connection.execute(sa.insert(subscriber_tag), rows)
    return engine


def find_ids(engine: sa.Engine, query: str, besides: str = "") -> list[int]:
    """Return who is in a segment; assert that all others are excluded as outside of it."""
    with read_transaction(engine) as connection:
        condition = find_segment(connection, query, CONFIG, NOW, besides=besides).condition
        found = sa.select(subscriber.c.id).where(condition).order_by(subscriber.c.id)
        ids = [*connection.scalars(found)]
        outside = count_exclusions(connection, condition).get("not in the segment", 0)
        assert len(ids) + outside == count_subscribers(connection)
    return ids


def refusal(engine: sa.Engine, query: str, besides: str = "") -> str:
    with pytest.raises(SubscriberListError) as caught:
        find_ids(engine, query, besides)
    (problem,) = caught.value.problems
    return str(problem)


@pytest.fixture
def two_tracked_sends(readers: sa.Engine) -> sa.Engine:
    """Two issues: one with all kinds of copies, and an earlier one that only a few were sent."""
    insert_send(
        readers, 1, ICE,
        states={
            OPENER: "accepted", SLEEPER: "accepted", MOVED: "accepted", BOT: "accepted",
            LOST: "unknown", TAGGED: "accepted", CLICKER: "accepted",
        },
        events=[
            (OPENER, "open"), (OPENER, "delivered"), (SLEEPER, "delivered"), (MOVED, "open"),
            (BOT, "open", True), (BOT, "click", True), (CLICKER, "click"),
        ],
    )  # fmt: skip
    insert_send(
        readers,
        2,
        FOG,
        states={SLEEPER: "accepted", TAGGED: "skipped_late", NEWCOMER: "accepted"},
        events=[(SLEEPER, "open"), (NEWCOMER, "delivered")],
    )
    return readers


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("opened:ice", [OPENER, MOVED, CLICKER]),
        # Neither who never got it, nor who may have got it.
        ("not opened:ice", [SLEEPER, BOT, TAGGED]),
        ("not not opened:ice", [OPENER, MOVED, CLICKER]),
        ("clicked:ice", [CLICKER]),
        ("not clicked:ice", [OPENER, SLEEPER, MOVED, BOT, TAGGED]),
        # A bot's open proves the delivery.
        ("delivered:ice", [OPENER, SLEEPER, MOVED, BOT, CLICKER]),
        ("not delivered:ice", [TAGGED]),
        ("sent:ice", [OPENER, SLEEPER, MOVED, BOT, LOST, TAGGED, CLICKER]),
        ("not sent:ice", [NEWCOMER]),
        ("opened:fog", [SLEEPER]),
        ("not opened:fog", [NEWCOMER]),
        # Not sent at the last moment.
        ("tag:x and not opened:fog", [NEWCOMER]),
        # One of them is enough.
        ("opened:last-2", [OPENER, SLEEPER, MOVED, CLICKER]),
        ("not opened:last-2", [NEWCOMER, BOT, TAGGED]),
        ("not opened:last-9", [NEWCOMER, BOT, TAGGED]),
        ("opened:last-1", [OPENER, MOVED, CLICKER]),
        ("not (opened:ice or clicked:fog)", [SLEEPER]),
        ("not (opened:ice or clicked:ice)", [SLEEPER, BOT, TAGGED]),
        ("not (opened:ice or opened:fog)", []),
        ("not opened:ice and not opened:fog", []),
        ("not (opened:ice and opened:fog)", [SLEEPER, NEWCOMER, BOT, TAGGED]),
        # Who lacks the tag is found for that, and a tagged reader only if they got the issue.
        ("not (opened:ice and tag:x)", [OPENER, SLEEPER, MOVED, BOT, LOST, TAGGED, CLICKER]),
        ("not (opened:ice or tag:x)", [SLEEPER, BOT]),
        ("not (not opened:ice and tag:x)", [OPENER, SLEEPER, MOVED, BOT, LOST, CLICKER]),
        ("opened:ice or not opened:ice", [OPENER, SLEEPER, MOVED, BOT, TAGGED, CLICKER]),
        ("tag:x or not opened:ice", [SLEEPER, NEWCOMER, BOT, TAGGED]),
        ("sent:ice and not opened:ice", [SLEEPER, BOT, TAGGED]),
    ],
)
def test_who_is_found(two_tracked_sends: sa.Engine, query: str, found: list[int]) -> None:
    assert find_ids(two_tracked_sends, query) == found


HOW_TO_TRACK = "For later sends, set tracking: {opens: ask} in newsletter.yml."


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "tag:x and not opened:fog",
            "opens of 2026-11-08-fog are not known\n"
            "  tag:x and not opened:fog\n"
            "                       ^^^\n"
            "Sent without tracking.opens: 2026-11-08-fog.\n" + HOW_TO_TRACK,
        ),
        ("opened:fog", "opens of 2026-11-08-fog are not known"),
        ("clicked:fog", "set tracking: {clicks: ask} in newsletter.yml."),
        ("clicked:fog", "clicks in 2026-11-08-fog are not known"),
        ("not (clicked:ice or tag:x and opened:last-2)", "opens of 1 of the last 2 issues are not"),
        (
            "not opened:last-3",
            "opens of 2 of the last 3 issues are not known\n"
            "  not opened:last-3\n"
            "             ^^^^^^\n"
            "Sent without tracking.opens: 2026-11-08-fog.\n"
            "Sent with tracking.opens to a part of the readers only: 2026-11-01-tide.\n"
            + HOW_TO_TRACK,
        ),
        ("opened:quiet", "No events received from SendGrid: 2026-10-01-quiet.\nReceive events"),
        ("delivered:quiet", "deliveries of 2026-10-01-quiet are not known"),
        ("opened:old", "Neither a record of tracking.opens nor any opens: 2026-09-01-old."),
        ("clicked:older", "Neither a record of tracking.clicks nor any clicks: 2026-08-01-older."),
        ("opened:planned", "no issue 'planned' was sent. There are: 2026-11-15-ice, 2026-11-"),
        ("not sent:planned", "no issue 'planned' was sent."),
        ("opened:recalled", "no issue 'recalled' was sent."),
        ("opened:nowhere", "no issue 'nowhere' was sent. There are: 2026-11-15-ice, 2026-11-08-fo"),
        ("sleepers", "segments.sleepers: opens of 4 of the last 5 issues are not known\n  tag:x "),
    ],
)
def test_unknown_engagement_is_refused(readers: sa.Engine, query: str, message: str) -> None:
    insert_several_sends(readers)
    assert message in refusal(readers, query)


def insert_several_sends(engine: sa.Engine) -> None:
    delivered = [(SLEEPER, "delivered")]
    got = {SLEEPER: "accepted"}
    insert_send(engine, 1, ICE, states=got, events=delivered)
    insert_send(engine, 2, FOG, states=got, events=delivered, tracking=[NEITHER])
    insert_send(engine, 3, TIDE, states=got, events=delivered, tracking=[BOTH, NEITHER])
    insert_send(engine, 4, "2026-10-01-quiet", states=got)
    # Sent by versions that recorded nothing.
    insert_send(engine, 5, "2026-09-01-old", states=got, events=delivered, tracking=())
    opened = [(SLEEPER, "open", True)]
    insert_send(engine, 6, "2026-08-01-older", states=got, events=opened, tracking=())
    insert_send(engine, 8, "2026-12-01-planned", states={SLEEPER: "pending"}, batch_state="ready")
    insert_send(engine, 9, "2026-12-02-recalled", states=got, recalled_at=NOW)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("not opened:ice", [SLEEPER]),
        ("not opened:last-1", [SLEEPER]),
        ("sent:last-3", [SLEEPER]),
        ("sent:fog", [SLEEPER]),
        ("delivered:last-3", [SLEEPER]),
        # Its opens were tracked: a bot's was reported.
        ("not opened:older", [SLEEPER]),
    ],
)
def test_known_engagement_among_unknown_ones(
    readers: sa.Engine, query: str, found: list[int]
) -> None:
    insert_several_sends(readers)
    assert find_ids(readers, query) == found


def test_own_send_does_not_count_among_the_last_ones(two_tracked_sends: sa.Engine) -> None:
    assert find_ids(two_tracked_sends, "opened:last-1", besides=ICE) == [SLEEPER]
    assert "no issue 'ice' was sent" in refusal(two_tracked_sends, "opened:ice", besides=ICE)


def test_without_any_send(readers: sa.Engine) -> None:
    assert refusal(readers, "not opened:last-3") == (
        "no issue has been sent yet\n  not opened:last-3\n             ^^^^^^"
    )
    assert "no issue has been sent yet" in refusal(readers, "delivered:last-1")
    assert find_ids(readers, "sent:last-3") == []
    assert find_ids(readers, "not sent:last-3") == [*PEOPLE]


@pytest.mark.parametrize(
    ("requested", "was_reported", "evidence"),
    [
        ({"on"}, True, "on"),
        ({"on"}, False, "on"),
        ({"off"}, False, "off"),
        ({"off"}, True, "off"),
        ({"on", "off"}, True, "part"),
        ({"on", "unknown"}, True, "part"),
        (set(), True, "on"),
        (set(), False, "unknown"),
    ],
)
def test_judge_tracking(
    *, requested: set[RequestedTracking], was_reported: bool, evidence: TrackingEvidence
) -> None:
    assert judge_tracking(frozenset(requested), was_reported=was_reported) == evidence


def test_opens_and_clicks_are_recorded_apart(readers: sa.Engine) -> None:
    insert_send(
        readers, 1, ICE, events=[(OPENER, "delivered")], tracking=[TrackingOptions(opens="all")]
    )
    with readers.begin() as connection:
        insert_tracking(connection, FOG, BOTH, is_partly_sent=True)
        insert_tracking(connection, TIDE, BOTH, is_partly_sent=False)
        insert_tracking(connection, TIDE, BOTH, is_partly_sent=True)
    insert_send(readers, 2, FOG, tracking=())
    insert_send(readers, 3, TIDE, tracking=())
    with read_transaction(readers) as connection:
        assert load_known_sends(connection) == (
            KnownSend(1, ICE, has_events=True, opens="on", clicks="off"),
            KnownSend(2, FOG, has_events=False, opens="part", clicks="part"),
            KnownSend(3, TIDE, has_events=False, opens="on", clicks="on"),
        )
        assert load_known_sends(connection, besides=FOG)[1].issue == TIDE


def test_message_fits_in_80_columns() -> None:
    selected = [
        KnownSend(number, f"2026-11-{number:02}-a-long-walk-along-the-harbour", opens="off")
        for number in range(1, 13)
    ]
    problem = engagement_problem("opened", selected, is_range=True)
    assert problem
    assert max(map(len, problem.remedy.splitlines())) <= 80
    assert " and 4 more.\n" in problem.remedy
    one = engagement_problem("clicked", [KnownSend(1, ICE, clicks="off")], is_range=True)
    assert one
    assert one.message == "clicks in 2026-11-15-ice are not known"


def test_condition_of_every_known_send_fits_in_one_statement(readers: sa.Engine) -> None:
    """Many terms on many sends exceed what databases allow as parameters."""
    with readers.begin() as connection:
        rows = [
            {"id": id_, "issue": f"issue {id_}", "state": "done", "content_sha": "",
             "subject": "", "frozen_at": NOW, "total": 0, "excluded": {}}
            for id_ in range(1, 801)
        ]  # fmt: skip
        connection.execute(sa.insert(send), rows)
        rows = [
            {"id": row["id"], "send_id": row["id"], "number": 1, "size": 0, "state": "accepted"}
            for row in rows
        ]
        connection.execute(sa.insert(batch), rows)
    assert find_ids(readers, " or ".join(["sent:last-999"] * 110)) == []


def insert_catch_up(engine: sa.Engine, options: TrackingOptions) -> None:
    """Insert a catch-up of the issue for the newcomer, who has not opened it."""
    name = make_catch_up_name(ICE, [])
    events = [(NEWCOMER, "delivered")]
    insert_send(engine, 3, name, states={NEWCOMER: "accepted"}, events=events, tracking=(options,))
    with engine.begin() as connection:
        child = sa.update(send).where(send.c.id == 3)
        connection.execute(child.values(parent_id=1, frozen_at=NOW))
        connection.execute(
            sa.update(send_recipient).where(send_recipient.c.send_id == 3).values(root_id=1)
        )


def test_catch_up_counts_as_its_issue(two_tracked_sends: sa.Engine) -> None:
    queries = ("sent:ice", "not opened:ice", "sent:last-1", "delivered:last-1")
    before = [find_ids(two_tracked_sends, query) for query in queries]
    insert_catch_up(two_tracked_sends, BOTH)
    after = [find_ids(two_tracked_sends, query) for query in queries]
    assert after == [sorted({*ids, NEWCOMER}) for ids in before]
    assert NEWCOMER not in find_ids(two_tracked_sends, "opened:ice")
    with read_transaction(two_tracked_sends) as connection:
        assert [known.issue for known in load_known_sends(connection)] == [ICE, FOG]
        assert [known.issue for known in load_known_sends(connection, besides=ICE)] == [FOG]


def test_untracked_catch_up_makes_the_opens_of_its_issue_unknown(
    two_tracked_sends: sa.Engine,
) -> None:
    insert_catch_up(two_tracked_sends, NEITHER)
    assert "to a part of the readers only" in refusal(two_tracked_sends, "not opened:ice")


ASK = TrackingOptions(opens="ask", clicks="ask")


def insert_asked_send(engine: sa.Engine, id_: int, issue: str, variants: dict[int, str]) -> None:
    """Insert a send of which readers were tracked as they had agreed: id -> variant."""
    insert_send(engine, id_, issue, states={}, events=[], tracking=[ASK])
    with engine.begin() as connection:
        for number, (person, variant) in enumerate(variants.items(), 1):
            batch_id = id_ * 100 + number
            row: dict[str, Any] = {"id": batch_id, "send_id": id_, "number": number + 1}
            row |= {"size": 1, "state": "accepted", "variant": variant}
            connection.execute(sa.insert(batch).values(row))
            row = {"send_id": id_, "subscriber_id": person, "batch_id": batch_id}
            row |= {"state": "accepted", "address_key": key_in_send(person), "root_id": id_}
            connection.execute(sa.insert(send_recipient).values(row))
            delivered = {
                "sg_event_id": f"{id_}-d{number}", "type": "delivered", "at": NOW, "raw": {},
                "send_id": id_, "address_key": key_in_send(person), "is_bot": False,
            }  # fmt: skip
            connection.execute(sa.insert(event).values(delivered))


def insert_event(engine: sa.Engine, send_id: int, person: int, type_: str) -> None:
    row = {
        "sg_event_id": f"{send_id}-{person}-{type_}", "type": type_, "at": NOW, "raw": {},
        "send_id": send_id, "address_key": key_in_send(person), "is_bot": False,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sa.insert(event).values(row))


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("opened:ice", [OPENER]),
        # LOST and BOT were not tracked: nobody knows whether they have opened it.
        ("not opened:ice", [SLEEPER, TAGGED]),
        ("not (opened:ice or tag:x)", [SLEEPER]),
        ("clicked:ice", []),
        ("not clicked:ice", [OPENER, LOST]),
        ("not delivered:ice", []),
        ("delivered:ice", [OPENER, SLEEPER, BOT, LOST, TAGGED]),
        ("not sent:ice", [MOVED, NEWCOMER, CLICKER]),
        # One of the two was sent to everybody with tracking.
        ("not opened:last-2", [SLEEPER, BOT, TAGGED]),
    ],
)
def test_reader_whose_copy_was_not_tracked_has_neither_opened_nor_not_opened(
    readers: sa.Engine, query: str, ids: list[int]
) -> None:
    insert_asked_send(
        readers,
        1,
        ICE,
        {OPENER: "opens clicks", SLEEPER: "opens", TAGGED: "opens", LOST: "clicks", BOT: "none"},
    )
    insert_event(readers, 1, OPENER, "open")
    got = dict.fromkeys((BOT, OPENER), "accepted")
    insert_send(readers, 2, FOG, states=got, events=[(OPENER, "open"), (BOT, "delivered")])
    assert find_ids(readers, query) == ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [("not opened:ice", [SLEEPER, TAGGED]), ("not opened:last-1", [SLEEPER, TAGGED])],
)
def test_catch_up_asks_readers_where_the_issue_was_tracked_for_all(
    readers: sa.Engine, query: str, ids: list[int]
) -> None:
    got = dict.fromkeys((OPENER, SLEEPER), "accepted")
    insert_send(readers, 1, ICE, states=got, events=[(OPENER, "open"), (SLEEPER, "delivered")])
    # A batch of the issue itself that was planned when readers were asked, and sent to all.
    with readers.begin() as connection:
        connection.execute(sa.update(batch).values(variant="none"))
    insert_asked_send(readers, 2, make_catch_up_name(ICE, ()), {TAGGED: "opens", BOT: "none"})
    with readers.begin() as connection:
        connection.execute(sa.update(send).where(send.c.id == 2).values(parent_id=1))
    assert find_ids(readers, query) == ids


def test_send_asked_for_a_part_of_the_readers_only_is_not_known(readers: sa.Engine) -> None:
    insert_send(
        readers,
        1,
        ICE,
        states={OPENER: "accepted"},
        events=[(OPENER, "delivered")],
        tracking=[ASK, BOTH],
    )
    assert "with tracking.opens to a part of the readers only" in refusal(readers, "opened:ice")
