"""Reports of a send of which readers were asked whether they may be tracked."""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from made_up_send import AT, SampleSend, make_send
from sending_fixtures import configured

from newsletter.cli.reports.report_text import format_outcome
from newsletter.config.tracking import TrackedAction, TrackingOptions
from newsletter.db import read_transaction
from newsletter.db.schema import batch, event, send_recipient
from newsletter.reports.comparison import list_started_sends
from newsletter.reports.model import SendReport
from newsletter.reports.output.html import render_report_page
from newsletter.reports.output.json_data import report_to_dict
from newsletter.reports.report import build_send_report
from newsletter.subscribers.tracking_record import insert_tracking

WEEK = datetime.timedelta(days=7)
READERS = 200


def divide(engine: sa.Engine, send_id: int, issue: str, action: TrackedAction = "opens") -> None:
    """Put every fourth recipient into a batch that was tracked; the others into none."""
    asked = TrackingOptions.model_validate({action: "ask"})
    with engine.begin() as connection:
        insert_tracking(connection, issue, asked, is_partly_sent=False)
        first = connection.scalars(sa.select(batch.c.id).where(batch.c.send_id == send_id)).one()
        row = {"send_id": send_id, "number": 2, "size": 1, "state": "accepted"}
        tracked = sa.insert(batch).values(**row, variant=action).returning(batch.c.id)
        id_ = connection.scalars(tracked).one()
        connection.execute(sa.update(batch).where(batch.c.id == first).values(variant="none"))
        connection.execute(
            sa.update(send_recipient)
            .where(send_recipient.c.send_id == send_id, send_recipient.c.subscriber_id % 4 == 0)
            .values(batch_id=id_)
        )


def latest(engine: sa.Engine) -> SendReport:
    with read_transaction(engine) as connection:
        started = list_started_sends(connection, AT + WEEK)[-1]
        return build_send_report(connection, started, configured(tracking="ask"), AT + WEEK)


def openers(engine: sa.Engine, send_id: int, *, tracked: bool) -> int:
    condition = send_recipient.c.subscriber_id % 4 == 0 if tracked else sa.true()
    query = (
        sa.select(sa.func.count(sa.distinct(event.c.address_key)))
        .join(send_recipient, send_recipient.c.address_key == event.c.address_key)
        .where(
            event.c.send_id == send_id,
            send_recipient.c.send_id == send_id,
            event.c.type == "open",
            sa.not_(event.c.is_bot),
            condition,
        )
    )
    with read_transaction(engine) as connection:
        return connection.scalar(query) or 0


def test_only_readers_who_agreed_count_and_rates_are_of_them(engine: sa.Engine) -> None:
    earlier = SampleSend(issue="2026-09-01-earlier", at=AT - WEEK, readers=READERS, seed=3)
    divide(engine, make_send(engine, earlier), earlier.issue)
    before = latest(engine)
    send_id = make_send(engine, SampleSend(readers=READERS))
    everybody = latest(engine)
    assert everybody.agreed == (None, None)
    divide(engine, send_id, SampleSend.issue)
    report = latest(engine)
    agreed = report.agreed[0]
    assert agreed
    assert report.agreed[1] is None
    assert agreed.sent == READERS // 4
    assert READERS // 8 < agreed.delivered <= agreed.sent
    assert report.opens
    assert everybody.opens
    assert report.opens.readers == openers(engine, send_id, tracked=True)
    assert 0 < report.opens.readers < everybody.opens.readers
    assert report.rates.opened == report.opens.readers / agreed.delivered
    assert report.medians.opened == before.rates.opened
    data = report_to_dict(report)
    assert data["agreed"]["opens"] == {"sent": agreed.sent, "delivered": agreed.delivered}
    assert data["agreed"]["clicks"] is None
    page = render_report_page(report, configured())
    assert f"Recorded only of readers who agreed to it: opens of {agreed.sent}." in page
    assert f"of {agreed.sent} who agreed</dd>" in page
    assert "who agreed" not in render_report_page(everybody, configured())
    assert "Recorded only of readers" not in render_report_page(everybody, configured())


def test_part_that_was_sent_before_readers_were_asked_is_not_among_those_who_agreed(
    engine: sa.Engine,
) -> None:
    send_id = make_send(engine, SampleSend(readers=READERS))
    divide(engine, send_id, SampleSend.issue)
    with engine.begin() as connection:
        everybody = TrackingOptions(opens="all")
        insert_tracking(connection, SampleSend.issue, everybody, is_partly_sent=True)
        connection.execute(sa.update(batch).where(batch.c.variant == "none").values(variant=""))
    report = latest(engine)
    assert report.agreed[0]
    assert report.agreed[0].sent == READERS // 4
    assert report.opens
    assert report.opens.readers == openers(engine, send_id, tracked=True)


def test_only_clicks_of_readers_who_agreed_count(engine: sa.Engine) -> None:
    earlier = SampleSend(issue="2026-09-01-earlier", at=AT - WEEK, readers=READERS, seed=3)
    divide(engine, make_send(engine, earlier), earlier.issue, "clicks")
    before = latest(engine)
    send_id = make_send(engine, SampleSend(readers=READERS))
    everybody = latest(engine)
    divide(engine, send_id, SampleSend.issue, "clicks")
    report = latest(engine)
    assert report.agreed[0] is None
    assert report.agreed[1]
    assert report.agreed[1].sent == READERS // 4
    assert report.clicks
    assert everybody.clicks
    assert 0 < report.clicks.readers < everybody.clicks.readers
    assert report.rates.clicked == report.clicks.readers / report.agreed[1].delivered
    assert before.rates.clicked
    assert report.medians.clicked == before.rates.clicked


@pytest.mark.parametrize(
    ("variant", "line"),
    [
        ("opens", f"of {READERS} who agreed to it"),
        ("none", "opened       not known: nobody had agreed to it"),
    ],
)
def test_report_says_of_how_many(engine: sa.Engine, variant: str, line: str) -> None:
    divide(engine, make_send(engine, SampleSend(readers=READERS)), SampleSend.issue)
    with engine.begin() as connection:
        connection.execute(sa.update(batch).values(variant=variant))
    text = "\n".join(format_outcome(latest(engine), ZoneInfo("Europe/Oslo")))
    assert line in text


@pytest.mark.parametrize("seed", [3, 4])
def test_delivered_to_those_who_agreed_is_as_in_the_counts(engine: sa.Engine, seed: int) -> None:
    sample = SampleSend(readers=READERS, seed=seed)
    send_id = make_send(engine, sample)
    divide(engine, send_id, sample.issue)
    of_type = sa.select(event.c.address_key).where(event.c.send_id == send_id).limit(1)
    with engine.begin() as connection:
        connection.execute(sa.update(batch).values(variant="opens"))
        # One was delivered after it had bounced; of another, only the open was reported.
        delivered: dict[str, Any] = {
            "sg_event_id": "later",
            "type": "delivered",
            "at": AT + WEEK,
            "raw": {},
            "send_id": send_id,
            "is_bot": False,
            "address_key": connection.scalar(of_type.where(event.c.type == "bounce")),
        }
        opener = connection.scalar(of_type.where(event.c.type == "open"))
        is_report = sa.and_(event.c.address_key == opener, event.c.type == "delivered")
        connection.execute(sa.delete(event).where(is_report))
        connection.execute(sa.insert(event).values(delivered))
    report = latest(engine)
    assert report.agreed[0]
    assert report.agreed[0].sent == report.sent
    assert report.agreed[0].delivered == report.counts.delivery.delivered
