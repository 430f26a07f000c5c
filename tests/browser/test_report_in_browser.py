"""The HTML report of a made-up send: layout, accessibility, no requests."""

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from made_up_send import AT, SampleSend, make_send
from playwright.sync_api import Browser, Page
from sending_fixtures import configured

from newsletter.db import database_engine, read_transaction
from newsletter.reports.comparison import list_started_sends
from newsletter.reports.output.html import render_report_page
from newsletter.reports.report import build_send_report

pytestmark = pytest.mark.browser

WEEK = datetime.timedelta(days=7)
CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(e => {
    const box = e.getBoundingClientRect();
    return e.checkVisibility() && (box.left < 0 || box.right > innerWidth + 0.5);
}).map(e => e.outerHTML.slice(0, 80))"""
SMALLEST = """() => Math.min(...[...document.querySelectorAll('main *')]
    .filter(e => e.checkVisibility() && e.textContent.trim())
    .map(e => parseFloat(getComputedStyle(e).fontSize)))"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    with database_engine("sqlite:///newsletter.db", folder) as engine:
        earlier = SampleSend(
            issue="2026-11-17-before", at=AT - WEEK, readers=2_000, seed=5, warmth=0.8
        )
        make_send(engine, earlier)
        make_send(engine, SampleSend(readers=10_000))
        with read_transaction(engine) as connection:
            config = configured(timezone="Europe/Oslo")
            report = build_send_report(
                connection, list_started_sends(connection, AT + WEEK)[-1], config, AT + WEEK
            )
    file = folder / "report.html"
    file.write_text(render_report_page(report, config))
    return file


@pytest.fixture
def page(browser: Browser, page_file: Path) -> Iterator[tuple[Page, list[str]]]:
    """The page, and its requests and console messages."""
    context = browser.new_context(java_script_enabled=True)
    page = context.new_page()
    activity: list[str] = []
    page.on("request", lambda request: activity.append(request.url))
    page.on("console", lambda message: activity.append(message.text))
    page.goto(page_file.as_uri())
    assert activity == [page_file.as_uri()]
    yield page, activity
    context.close()


def test_report_fits_and_is_accessible_at_every_width_and_scheme(
    page: tuple[Page, list[str]],
) -> None:
    shown, activity = page
    for scheme in ("light", "dark"):
        shown.emulate_media(color_scheme=scheme)
        for width in (320, 375, 1200):
            shown.set_viewport_size({"width": width, "height": 900})
            assert shown.evaluate("document.scrollingElement.scrollWidth") <= width
            assert shown.evaluate(CUT_OFF) == []
            assert shown.evaluate(SMALLEST) >= 13
        results = Axe().run(shown)
        assert results.violations_count == 0, results.generate_report()
    assert len(activity) == 1
    assert shown.get_by_role("img").count() == 4
    assert shown.get_by_role("img", name="Delivery").is_visible()
    shown.get_by_text("The same in numbers").click()
    assert shown.locator("details thead").inner_text().split() == [
        "Period", "delivered", "opened", "clicked"
    ]  # fmt: skip
    numbers = [
        int(cell.replace(",", ""))
        for cell in shown.locator("details tbody td:nth-child(3)").all_inner_texts()[:24]
    ]
    tallest = re.search(r"The tallest is ([\d,]+) readers", shown.inner_text("body"))
    assert tallest
    assert max(numbers) == int(tallest[1].replace(",", ""))
