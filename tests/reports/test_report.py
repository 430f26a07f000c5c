"""The whole report of a generated send, on both databases."""

import datetime
from dataclasses import fields, replace
from statistics import median

import pytest
import sqlalchemy as sa
from made_up_send import AT, HTML, LINKS, SampleSend, make_send
from sending_fixtures import configured

from newsletter.db import read_transaction
from newsletter.db.schema import batch, journal, send, send_recipient
from newsletter.reports.comparison import MAX_COMPARED, attribution_window, list_started_sends
from newsletter.reports.model import CURVE_DAYS, CURVE_HOURS, SendRates, SendReport
from newsletter.reports.output.json_data import report_to_dict
from newsletter.reports.report import build_send_report

WEEK = datetime.timedelta(days=7)
READERS = 200


def earlier(weeks: int, **changes: object) -> SampleSend:
    return SampleSend(**{  # type: ignore[arg-type]
        "issue": f"2026-09-{weeks + 1:02}-earlier", "at": AT - weeks * WEEK, "readers": READERS,
        "seed": 10 + weeks, **changes,
    })  # fmt: skip


def latest(engine: sa.Engine) -> SendReport:
    with read_transaction(engine) as connection:
        return build_send_report(
            connection, list_started_sends(connection, AT + WEEK)[-1], configured(), AT + WEEK
        )


def test_report_is_complete_and_adds_up(engine: sa.Engine) -> None:
    make_send(engine, earlier(1))
    make_send(engine, SampleSend(readers=READERS))
    data = report_to_dict(latest(engine))
    assert data["issue"] == SampleSend.issue
    assert data["subject"] == "Reading the tide, friend"
    total = sum(data[state] for state in ("delivered", "bounced", "dropped", "waiting"))
    assert data["adds_up"] is True
    assert data["sent"] == total == READERS
    assert sum(domain["sent"] for domain in data["domains"]) == READERS
    assert data["domains"][-1]["name"] is None
    assert {link["url"] for link in data["links"]} == {url for url, _ in LINKS}
    clicks = [link["total"] for link in data["links"]]
    assert clicks == sorted(clicks, reverse=True)
    assert set(data["advice"]) == {*data["bounces"], *data["drops"]} != set()
    assert all(advice["action"] for advice in data["advice"].values())
    assert sum(link["total"] for link in data["links"]) == data["clicks"]["total"] > 0
    for key in ("opened", "clicked", "delivered"):
        curve = data["hours"][key]
        assert (len(curve["by_hour"]), len(curve["by_day"])) == (CURVE_HOURS, CURVE_DAYS)
        assert sum(curve["by_hour"]) == curve["by_day"][0]
    assert data["opens"]["machine_total"] > 0
    assert data["rates"]["opened"] == pytest.approx(data["opens"]["readers"] / data["delivered"])
    assert data["medians"]["issues"] == 1
    assert data["medians"]["delivered"] > 0.9


def test_growth_is_that_since_the_issue_before(engine: sa.Engine) -> None:
    day = datetime.timedelta(days=1)
    make_send(engine, earlier(1))
    # A reader who joined in time, one too early, one too late; one who left in time.
    entries = ((191, -WEEK - day, "active"), (192, -day, "active"), (193, day, "active"))
    with engine.begin() as connection:
        for reader, offset, status in entries:
            connection.execute(
                sa.insert(journal).values(
                    subscriber_id=reader, seq=1, at=AT + offset, change="subscribed", status=status,
                    method="cli",
                )
            )  # fmt: skip
        connection.execute(
            sa.insert(journal).values(
                subscriber_id=191, seq=2, at=AT - day, change="unsubscribed",
                status="unsubscribed", method="form",
            )
        )  # fmt: skip
    assert latest(engine).growth is None
    make_send(engine, SampleSend(readers=READERS))
    growth = report_to_dict(latest(engine))["growth"]
    assert growth == {
        "issue": earlier(1).issue, "since": (AT - WEEK).isoformat(), "joined": 1, "left": 1,
        "net": 0,
    }  # fmt: skip


def test_medians_are_those_of_the_ten_sends_before(engine: sa.Engine) -> None:
    rates = []
    for weeks in range(MAX_COMPARED + 2, 0, -1):
        make_send(engine, earlier(weeks, readers=40, tracked=weeks < 6, warmth=1 + weeks / 5))
        rates.append(latest(engine).rates)
    make_send(engine, SampleSend(readers=40))
    report = latest(engine)
    assert report.compared == MAX_COMPARED
    for field in fields(SendRates):
        values = [getattr(earlier_rates, field.name) for earlier_rates in rates[-MAX_COMPARED:]]
        known = [value for value in values if value is not None]
        # Sends without tracking are not part of the median of opens.
        assert len(known) == (5 if field.name in {"opened", "clicked"} else MAX_COMPARED)
        assert getattr(report.medians, field.name) == median(known)
    recalled = (
        sa.update(send)
        .where(send.c.issue == earlier(1).issue)
        .values(
            state="cancelled",
            provider_batch_id="b",
            scheduled_at=AT - WEEK,
            recalled_at=AT - WEEK - datetime.timedelta(minutes=10),
        )
    )
    with engine.begin() as connection:
        connection.execute(recalled)
    others = rates[-MAX_COMPARED - 1 : -1]
    for field in fields(SendRates):
        known = [
            value
            for earlier_rates in others
            if (value := getattr(earlier_rates, field.name)) is not None
        ]
        assert getattr(latest(engine).medians, field.name) == median(known)
    make_send(engine, SampleSend(issue="2026-12-01-quiet", at=AT + WEEK, readers=2, tracked=False))
    assert (latest(engine).rates.opened, latest(engine).medians.opened) == (None, None)


def test_recipients_not_accepted_by_sendgrid_are_not_counted_as_sent(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=10))
    with engine.begin() as connection:
        first_three = send_recipient.c.subscriber_id <= 3
        connection.execute(sa.update(send_recipient).where(first_three).values(state="unknown"))
    report = latest(engine)
    assert (report.sent, dict(report.not_accepted)) == (7, {"unknown": 3})
    assert report.counts.delivery.total == 7


def test_only_started_sends_are_listed(engine: sa.Engine) -> None:
    make_send(engine, earlier(1))
    make_send(engine, SampleSend(readers=2))
    with engine.begin() as connection:
        connection.execute(sa.update(batch).where(batch.c.send_id == 2).values(state="ready"))
        later = {"scheduled_at": AT - WEEK + datetime.timedelta(hours=2)}
        connection.execute(sa.update(send).where(send.c.id == 1).values(later))
        (started,) = list_started_sends(connection, AT + WEEK)
    # SendGrid held it until then.
    assert (started.id, started.sent_at) == (1, later["scheduled_at"])


def test_next_send_ends_the_attribution_window(engine: sa.Engine) -> None:
    day = datetime.timedelta(days=1)
    make_send(engine, SampleSend(readers=2))
    make_send(engine, SampleSend(issue="2026-11-25-next", at=AT + day, readers=2))
    with read_transaction(engine) as connection:
        first, second = list_started_sends(connection, AT + WEEK)
    assert attribution_window([first, second], first) == (AT, AT + day)
    assert attribution_window([first, second], second) == (AT + day, AT + day + WEEK)


def test_clicks_of_an_email_without_links_are_other_links(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=50, html=HTML[:0]))
    (other_links,) = latest(engine).links
    assert (other_links.url, other_links.text) == ("", "")


def test_catch_up_changes_no_report_of_another_send(engine: sa.Engine) -> None:
    hour = datetime.timedelta(hours=1)
    make_send(engine, earlier(1, readers=40))
    make_send(engine, SampleSend(readers=40))
    with read_transaction(engine) as connection:
        sends = list_started_sends(connection, AT + WEEK)
        before = build_send_report(connection, sends[-1], configured(), AT + WEEK)
    make_send(engine, SampleSend(issue="2026-11-24-x~catch-up-1", at=AT + hour, readers=3, seed=9))
    with engine.begin() as connection:
        connection.execute(sa.update(send).where(send.c.id == 3).values(parent_id=2))
        sends = list_started_sends(connection, AT + WEEK)
        after = build_send_report(connection, sends[1], configured(), AT + WEEK)
        child = build_send_report(connection, sends[2], configured(), AT + WEEK)
    assert after.catch_ups == {"2026-11-24-x~catch-up-1": 3}
    assert replace(after, catch_ups={}) == before
    assert attribution_window(sends, sends[1]) == (AT, AT + WEEK)
    # It is compared with the issue before, not with its own parent.
    assert (child.compared, child.medians.opened) == (1, before.medians.opened)
    make_send(engine, SampleSend(issue="2026-11-25-next", at=AT + 2 * hour, readers=2))
    with read_transaction(engine) as connection:
        sends = list_started_sends(connection, AT + WEEK)
        next_report = build_send_report(connection, sends[-1], configured(), AT + WEEK)
    assert next_report.compared == 2
    assert attribution_window(sends, sends[2]) == (AT + hour, AT + 2 * hour)
