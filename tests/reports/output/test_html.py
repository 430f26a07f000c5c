"""The report page: self-contained, without personal data, and safe against injected markup."""

import datetime
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html
from made_up_send import AT, LINKS, SampleSend, address, make_send
from sending_fixtures import configured

from newsletter.db import database_engine, read_transaction
from newsletter.db.schema import event
from newsletter.reports.bounce_reasons import get_advice
from newsletter.reports.comparison import list_started_sends
from newsletter.reports.model import SendRates, SendReport
from newsletter.reports.output import charts
from newsletter.reports.output.html import render_report_page
from newsletter.reports.output.json_data import report_to_dict
from newsletter.reports.report import build_send_report

NOW = AT + datetime.timedelta(days=3)
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
EXTERNAL_OR_SCRIPT = re.compile(
    r"(?i)<(?:script|link|img|iframe|object|embed|base)\b|@import|url\(|\bsrc=|\bon\w+="
)
CONFIG = configured(timezone="Europe/Oslo", tracking={"opens": True, "clicks": True})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """SQLite only: the counts on the page are tested on both databases elsewhere."""
    with database_engine("sqlite:///newsletter.db", tmp_path) as sqlite:
        yield sqlite


def make_report(engine: sa.Engine, *sends: SampleSend) -> SendReport:
    for made_up in sends:
        make_send(engine, made_up)
    with read_transaction(engine) as connection:
        return build_send_report(connection, list_started_sends(connection, NOW)[-1], CONFIG, NOW)


@pytest.fixture
def report(engine: sa.Engine) -> SendReport:
    earlier = SampleSend(
        issue="2026-11-17-earlier", at=AT - datetime.timedelta(days=7), readers=300
    )
    return make_report(engine, replace(earlier, seed=2), SampleSend(readers=300))


def test_page_shows_the_numbers_of_the_report(report: SendReport) -> None:
    page = render_report_page(report, CONFIG)
    text = " ".join(" ".join(map(str, lxml_html.document_fromstring(page).itertext())).split())
    delivery = report.counts.delivery
    assert "Reading the tide, friend" in text
    assert "Sent Tuesday 24 November 2026, 09:00 (Europe/Oslo) to 300 readers" in text
    assert (
        f"{delivery.delivered} + {delivery.bounced} + {delivery.dropped} + {delivery.waiting}"
        " = 300 sent" in text
    )
    assert report.opens
    assert f"{report.opens.machine_total} opens by mail programs" in text
    assert "gmail.com" in text
    positions = [text.index(link.text) for link in report.links if link.total]
    assert positions == sorted(positions)
    assert 0 < len(positions) <= len(LINKS)
    assert "Since the last issue (17 November 2026)" in text
    assert "Each bar is 1 hour (first 24 hours)." in text
    for reason in report.counts.bounces:
        assert f"{reason} {get_advice(reason).meaning}" in text
        assert get_advice(reason).action in text


def test_page_is_self_contained_and_has_no_addresses(report: SendReport) -> None:
    page = render_report_page(report, CONFIG)
    assert EXTERNAL_OR_SCRIPT.search(page) is None
    assert not any(address(number) in page for number in range(1, 301))
    assert {element.tag for element in lxml_html.document_fromstring(page).iter("a", "form")} <= {
        "a"
    }


def test_markup_in_subject_and_links_is_escaped(engine: sa.Engine) -> None:
    body = '<html><body><a href="https://x.example/&quot;&gt;&lt;b&gt;">{}</a></body></html>'
    made_up = SampleSend(
        readers=5, subject=EVIL, html=body.format("&lt;script&gt;alert(2)&lt;/script&gt;")
    )
    page = render_report_page(make_report(engine, made_up), CONFIG)
    root = lxml_html.document_fromstring(page)
    assert root.findtext(".//h1") == EVIL
    assert list(root.iter("script", "img", "b")) == []


def test_nothing_is_said_of_complaints_before_anything_is_delivered(engine: sa.Engine) -> None:
    make_send(engine, SampleSend(readers=5))
    with engine.begin() as connection:
        connection.execute(event.delete())
    with read_transaction(engine) as connection:
        (started,) = list_started_sends(connection, NOW)
        page = render_report_page(build_send_report(connection, started, CONFIG, NOW), CONFIG)
    assert "5 waiting" in page
    assert "thresholds" not in page


def test_opens_and_clicks_are_omitted_without_tracking(engine: sa.Engine) -> None:
    report = make_report(engine, SampleSend(readers=50, tracked=False))
    untracked = replace(report, tracking=(False, False))
    page, data = render_report_page(untracked, CONFIG), report_to_dict(untracked)
    assert "tracking is off" in page
    assert "Deliveries over time" in page
    assert "Opened" not in page
    assert (data["opens"], data["clicks"], data["links"]) == (None, None, None)
    assert "No opens or clicks were recorded" in render_report_page(report, CONFIG)


@pytest.mark.parametrize(
    ("share", "state"),
    [(None, "green"), (0.00099, "green"), (0.001, "yellow"), (0.003, "red"), (0.5, "red")],
)
def test_complaint_state_follows_gmails_limits(
    engine: sa.Engine, share: float | None, state: str
) -> None:
    report = make_report(engine, SampleSend(readers=5))
    rates = SendRates(1.0, 0.0, 0.0, share)
    changed = replace(report, rates=rates)
    assert changed.complaint_state == state
    page = render_report_page(changed, CONFIG)
    assert f'class="{state}"' in page
    assert ("at or above the threshold" in page) == (state != "green")


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=4))
def test_stacked_bar_has_the_full_width_and_shows_every_part(counts: list[int]) -> None:
    names = ("delivered", "bounced", "dropped", "waiting")
    svg = str(charts.draw_stacked_bar("x", "t", list(zip(names, counts, strict=True))))
    shapes = re.findall(r'class="(\w+)" x="([\d.]+)" y="0.0" width="([\d.]+)"', svg)
    assert [name for name, _, _ in shapes] == [
        name for name, count in zip(names, counts, strict=True) if count
    ]
    if shapes:
        _, x, width = shapes[-1]
        assert float(x) + float(width) == pytest.approx(charts.WIDTH, abs=0.2)
        assert min(float(width) for _, _, width in shapes) > 7


@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_columns_stay_inside_the_chart(counts: list[int]) -> None:
    svg = str(charts.draw_columns("x", "t", "", [charts.Series("opened", counts)]))
    for y, height in re.findall(r'y="(-?[\d.]+)" width="[\d.]+" height="(-?[\d.]+)"', svg):
        assert float(y) >= 0
        assert float(y) + float(height) == pytest.approx(charts.HEIGHT, abs=0.2)
