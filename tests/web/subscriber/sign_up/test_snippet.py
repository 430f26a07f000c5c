"""The sign-up snippet on another site, in a real Chromium."""

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

pytestmark = pytest.mark.browser

SITE = "http://harbour-notes.test"
SETTINGS = [{"public": {"cors_origins": (SITE,)}}]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page()
    yield opened
    opened.close()


def visit(page: Page, server: Any) -> None:
    """Open another site's page that has the snippet as /embed shows it."""
    match = re.search("<pre[^>]*><code>(.*?)</code>", server.get("/embed").data.decode(), re.DOTALL)
    assert match
    snippet = html.unescape(match[1]).replace("https://news.harbour-notes.org", server.url)

    def fulfil(route: Route) -> None:
        route.fulfill(body=f"<!DOCTYPE html>{snippet}", content_type="text/html; charset=utf-8")

    page.route(f"{SITE}/**", fulfil)
    page.goto(f"{SITE}/about")


@pytest.mark.parametrize("settings", SETTINGS)
def test_sign_up_without_leaving_the_page(harness: Any, server: Any, page: Page) -> None:
    visit(page, server)
    with page.expect_response("**/api/form-token"):
        page.get_by_label("Email").focus()
    page.keyboard.type("ada@example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("quick")
    harness.clock.advance(seconds=3)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("email address")
    page.get_by_label("Email").fill("ada@example.org")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("sent a confirmation email")
    assert page.url == f"{SITE}/about"
    assert harness.send_emails() == ["ada@example.org"]


def test_site_without_cors_permission_falls_back_to_our_page(
    harness: Any, server: Any, page: Page
) -> None:
    visit(page, server)
    page.get_by_label("Email").fill("ada@example.org")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/subscribe")
    expect(page.get_by_label("Email address")).to_have_value("ada@example.org")
    harness.clock.advance(seconds=3)
    page.get_by_role("button").press("Enter")
    page.get_by_role("heading", name="inbox").wait_for()
    assert harness.send_emails() == ["ada@example.org"]
