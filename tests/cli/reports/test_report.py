"""``newsletter report``: text, JSON and HTML page."""

import datetime
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from made_up_send import AT, SampleSend, address, make_send

from newsletter.cli.reports.report_text import format_complaints, format_outcome, format_tables
from newsletter.db import open_database
from newsletter.db.schema import event, send_recipient
from newsletter.reports.model import (
    DeliveryCounts,
    DomainCounts,
    EngagementCounts,
    GrowthSinceIssue,
    LinkClicks,
    SendCounts,
    SendRates,
    SendReport,
    TimeCurve,
)

Cli = Callable[..., tuple[int, str, str]]

SENT = SampleSend(readers=500)


@pytest.fixture
def sent(project_folder: Path) -> Path:
    """Return a project in which two issues were sent, and one wasn't."""
    engine = open_database("sqlite:///newsletter.db", project_folder)
    week = datetime.timedelta(days=7)
    make_send(engine, replace(SENT, issue="2026-11-17-earlier", at=AT - week, seed=3))
    make_send(engine, SENT)
    engine.dispose()
    (project_folder / "issues" / "2026-12-01-the-ice").mkdir()
    return project_folder


@pytest.mark.usefixtures("sent")
def test_report_fits_80_columns_and_adds_up(cli: Cli) -> None:
    code, out, err = cli("report")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == [
        "Reading",
        "the",
        "tide,",
        "friend",
        "sent",
        "Tue",
        "24",
        "Nov",
        "2026",
        "08:00",
        "to",
        "500",
    ]
    names = ("delivered", "bounced", "dropped", "waiting")
    counts = [next(int(x.split()[1]) for x in lines if x.split()[:1] == [name]) for name in names]
    sum_line = " + ".join(f"{count} {name}" for count, name in zip(counts, names, strict=True))
    assert f"  {sum_line} = 500 sent" in lines
    assert sum(counts) == 500
    assert "█" in out
    assert "How to read a tide table" in out
    assert "Compared with the issue before:" in out
    assert "Since the last issue (17 Nov), 0 joined and 0 left: no change." in out
    assert "Each bar is 1 hour (first 24 hours), then 1 day" in out
    assert "invalid address: There is no such mailbox." in out
    assert not any(address(number) in out for number in range(1, 501))


@pytest.mark.usefixtures("sent")
def test_report_as_json(cli: Cli) -> None:
    code, out, _ = cli("report", "reading", "--json")
    data = json.loads(out)
    assert code == 0
    assert (data["issue"], data["sent"], data["adds_up"]) == (SENT.issue, 500, True)
    assert json.loads(cli("report", "earlier", "--json")[1])["issue"] == "2026-11-17-earlier"


def test_html_page_is_written_completely(cli: Cli, sent: Path) -> None:
    code, out, _ = cli("report", "--html", "report.html")
    assert (code, out.splitlines()[-1]) == (0, "report.html")
    page = (sent / "report.html").read_text()
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert list(sent.glob(".report*")) == []
    code, out, err = cli("report", "--html", "nowhere/report.html")
    assert code == 1
    assert "nowhere" in err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("the-ice", "2026-12-01-the-ice has not been sent. Send it with: newsletter send the-ice"),
        ("2026-1", "2 sends match"),
        ("no-such", "no send matches 'no-such'"),
    ],
)
@pytest.mark.usefixtures("sent")
def test_report_of_unsent_issue_fails(cli: Cli, name: str, message: str) -> None:
    code, out, err = cli("report", name)
    assert (code, out) == (1, "")
    assert message in err


def test_report_before_any_send_fails(newsletter: Cli) -> None:
    code, _, err = newsletter("report")
    assert (code, "Send an issue with: newsletter send" in err) == (1, True)
    assert newsletter("plan", "the-ice")[0] == 0
    code, _, err = newsletter("report", "the-ice")
    assert (code, "See: newsletter status the-ice" in err) == (1, True)


def test_report_before_any_event_counts_all_as_waiting(newsletter: Cli) -> None:
    assert newsletter("send", "the-ice", "--yes")[0] == 0
    code, out, err = newsletter("report")
    assert code == 0
    assert "0 delivered + 0 bounced + 0 dropped + 25 waiting = 25 sent" in out
    assert out.count("not known: tracking is off") == 2
    assert "0.0 %   (Gmail" not in out
    assert "newsletter events import FILE" in err
    # Nothing is known yet: no table is empty.
    assert not any(title in out for title in ("Each bar", "Why emails", "mailbox domain"))


def test_enabled_tracking_without_opens_prints_none_recorded(
    cli: Cli, project_folder: Path
) -> None:
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write("tracking: {opens: true, clicks: false}\n")
    engine = open_database("sqlite:///newsletter.db", project_folder)
    week = datetime.timedelta(days=7)
    untracked = replace(SENT, readers=20, tracked=False)
    make_send(engine, replace(untracked, issue="2026-11-17-earlier", at=AT - week))
    make_send(engine, untracked)
    engine.dispose()
    lines = cli("report")[1].splitlines()
    assert "  opened       none recorded" in lines
    assert "  clicked      not known: tracking is off" in lines
    compared = lines[lines.index("                this one   usually") + 1 :]
    assert [line.split()[0] for line in compared] == [
        "delivered",
        "bounced",
        "unsubscribed",
        "complaints",
    ]


def test_unknown_recipients_are_reported(cli: Cli, sent: Path) -> None:
    engine = open_database("sqlite:///newsletter.db", sent)
    with engine.begin() as connection:
        chosen = (send_recipient.c.send_id == 2) & (send_recipient.c.subscriber_id <= 40)
        connection.execute(sa.update(send_recipient).where(chosen).values(state="unknown"))
    engine.dispose()
    code, out, err = cli("report")
    assert (code, "= 460 sent" in out) == (0, True)
    assert "40 more readers may or may not have it" in err


@pytest.mark.parametrize(
    ("complained", "message"),
    [
        (0, "(Gmail's threshold: 0.10 %)"),
        (1, "at or above Gmail's 0.10 %"),
        (2, "at or above 0.30 %"),
    ],
)
def test_complaint_rate_is_compared_with_gmails_thresholds(
    cli: Cli, sent: Path, complained: int, message: str
) -> None:
    engine = open_database("sqlite:///newsletter.db", sent)
    with engine.begin() as connection:
        in_send = event.c.send_id == 2
        connection.execute(sa.delete(event).where(in_send, event.c.type == "spamreport"))
        delivered_ids = sa.select(event.c.sg_event_id).where(in_send, event.c.type == "delivered")
        chosen = connection.scalars(delivered_ids.limit(complained)).all()
        connection.execute(
            sa.update(event).where(event.c.sg_event_id.in_(chosen)).values(type="spamreport")
        )
    engine.dispose()
    assert message in cli("report")[1]


def test_report_with_large_numbers_fits_80_columns() -> None:
    delivery = DeliveryCounts(delivered=9_876_543, bounced=98_765, dropped=12_345, waiting=12_347)
    domains = (DomainCounts("a-domain-that-is-longer-than-others.example", *[9_876_543] * 8),)
    counts = SendCounts(
        delivery,
        0,
        0,
        1_234_567,
        23_456,
        {"sender on a block list": 98_765},
        {"had bounced before": 12_345},
        domains,
        TimeCurve((9_876_543,) * 24, (99,) * 7, 9_876_543),
    )
    tally = EngagementCounts(5_123_456, 9_123_456, 4_123_456, 8_123_456, counts.delivery_curve)
    rates = SendRates(0.9876, 0.0098, 0.1, 0.0024, 0.5, 0.5)
    links = (LinkClicks(f"https://x.example/{'y' * 90}", "w " * 90, 5_123_456, 9_123_456),)
    report = SendReport(
        "2026-11-24-x", "t " * 60, "en", AT, AT, delivery.total, {}, counts, tally, tally, links,
        (True, True), rates, rates, 10,
        growth=GrowthSinceIssue("2026-11-17-x", AT, 1_234_567, 2_345_678),
    )  # fmt: skip
    zone = ZoneInfo("Europe/Oslo")
    lines = [
        *format_outcome(report, zone),
        format_complaints(report),
        *format_tables(report, zone),
    ]
    # Only hours and days that have begun have a bar: here, the first hour.
    (opened,) = (line for line in lines if line.startswith("  opened") and "later" in line)
    assert opened.split() == ["opened", "█", "9,876,543", "later"]
    # The title may be longer: the terminal wraps it.
    assert max(len(line) for text in lines for line in text.split("\n")[1:]) <= 80
    assert max(len(text.split("\n")[0]) for text in lines[1:]) <= 80


def test_right_to_left_title_is_isolated_on_its_line(cli: Cli, project_folder: Path) -> None:
    engine = open_database("sqlite:///newsletter.db", project_folder)
    make_send(engine, replace(SENT, readers=3, subject="\u0631\u0633\u0627\u0644\u0629 " * 30))
    engine.dispose()
    first, second, *_ = cli("report")[1].splitlines()
    assert first.startswith("\u2068")
    assert second.startswith("  sent Tue 24 Nov 2026")
