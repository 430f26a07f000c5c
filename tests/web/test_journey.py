"""A reader's whole life with the newsletter, in a real Chromium, by keyboard alone."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import orjson
import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from newsletter.db import database_engine
from newsletter.db.schema import subscriber
from newsletter.project import open_project
from newsletter.sending.providers.sendgrid.client import SendGridClient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.web.site_context import Site, open_site
from newsletter.web.subscriber.transactional_emails import send_due_emails

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
ISSUE = "2026-11-22-reading-the-tide"
PUBLIC = "https://news.harbour-notes.org"
SETTINGS = f"""\
name: Harbour Notes
sender:
  name: Harbour Notes
  address: editor@harbour-notes.org
postal_address: Harbour Notes, 1 Quay Street, Bergen
site_url: https://harbour-notes.org
attributes:
  name: friend
public_url: {PUBLIC}
signup:
  least_seconds: 0
preferences:
  tags:
    walks: News of walks along the shore
"""
MOST_KEYS = 60

Scheme = Literal["light", "dark"]


@pytest.fixture
def site(project_folder: Path) -> Iterator[Site]:
    """A newsletter with the sample issue."""
    (project_folder / "newsletter.yml").write_text(SETTINGS)
    shutil.copytree(ROOT / "issues" / ISSUE, project_folder / "issues" / ISSUE)
    project = open_project(project_folder)
    with database_engine("sqlite:///newsletter.db", project.root) as engine:
        yield open_site(project, engine)


@pytest.fixture
def page(browser: Browser, server: Any, scheme: Scheme) -> Iterator[Page]:
    """A phone; the newsletter's address leads to the server."""
    opened = browser.new_page(viewport={"width": 375, "height": 800})
    opened.emulate_media(color_scheme=scheme)

    def answer(route: Route) -> None:
        there = route.request.url.replace(PUBLIC, server.url)
        route.fulfill(response=route.fetch(url=there, max_redirects=0))

    opened.route(f"{PUBLIC}/**", answer)
    yield opened
    opened.close()


class Reader:
    """Somebody at a keyboard."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def opens(self, url: str) -> None:
        self.page.goto(url)
        self.looks()

    def goes_to(self, selector: str) -> None:
        """Press Tab until it has the focus."""
        wanted = self.page.locator(selector).first
        for _ in range(MOST_KEYS):
            if wanted.evaluate("it => it === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        pytest.fail(f"no key leads to {selector}")

    def types(self, selector: str, text: str) -> None:
        self.goes_to(selector)
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.type(text)

    def presses(self, selector: str, key: str = "Enter") -> None:
        self.goes_to(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press(key)
        self.looks()

    def looks(self) -> None:
        """The page fits the phone, and holds nothing that shuts somebody out."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(self.page)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("scheme", ["dark"])
def test_from_the_form_to_being_forgotten(
    site: Site, server: Any, page: Page, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeSendGrid() as vendor:
        monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
        monkeypatch.setenv("SENDGRID_HOST", vendor.url)
        mailer = SendGridClient(
            vendor.key, site.config.sendgrid.model_copy(update={"host": vendor.url})
        )
        reader = Reader(page)

        reader.opens(f"{PUBLIC}/")
        reader.presses("main a[href$='/subscribe']")
        reader.types("#email", "Ada@example.org")
        reader.types("#name", "Ada <b>Lovelace</b>")
        reader.presses("main button")
        assert status(site) is None, "nothing happens before the letter"
        assert send_due_emails(site, mailer) == 1
        confirm = link_in(vendor, "/confirm/")

        reader.opens(confirm)
        assert status(site) == "pending"
        reader.presses("main button")
        assert status(site) == "active"
        mailer.close()

        code, _, err = cli("send", ISSUE, "--yes")
        assert code == 0, err
        assert [one.address for one in vendor.accepted][1:] == ["Ada@example.org"]
        headers = sent(vendor)["personalizations"][0]["headers"]
        way_out = headers["List-Unsubscribe"].strip("<>")
        leave, preferences = way_out, way_out.replace("/u/", "/p/")

        path = leave.removeprefix(PUBLIC)
        clicked = server.post(path, fields={"List-Unsubscribe": "One-Click"})
        assert (clicked.status, status(site)) == (200, "unsubscribed")

        # They think again: the form, the letter, the button.
        reader.opens(preferences)
        reader.presses("main a[href$='subscribe']")
        reader.types("#email", "ada@example.org")
        reader.presses("main button")
        expect(page.locator("main h1")).to_be_visible()

    reader.opens(leave)
    reader.opens(preferences)
    reader.goes_to("#erase ~ p input[type=checkbox]")
    page.keyboard.press("Space")
    reader.presses("#erase ~ p button")
    assert status(site) is None
    assert server.get(preferences.removeprefix(PUBLIC)).status == 404


@pytest.mark.parametrize("scheme", ["light"])
def test_a_reader_keeps_their_own_page(site: Site, reader: Callable[..., str], page: Page) -> None:
    token = reader("ada@example.org")
    ada = Reader(page)
    ada.opens(f"{PUBLIC}/p/{token}")
    ada.types("#name", "Ada")
    ada.goes_to("input[name=tag0]")
    page.keyboard.press("Space")
    ada.presses("#you ~ p button")
    expect(page.locator("input[name=tag0]")).to_be_checked()
    ada.presses("button[value=month]")
    expect(page.locator("main time")).to_be_visible()
    ada.presses("button[value=none]")
    ada.presses("main a[href*='/u/']")
    ada.presses("main button")
    assert status(site) == "unsubscribed"
    ada.presses("button[name=back]")
    assert status(site) == "active"


def status(site: Site) -> str | None:
    with site.engine.connect() as connection:
        return connection.scalar(sa.select(subscriber.c.status))


def sent(vendor: FakeSendGrid) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(vendor.requests[-1].body)
    return body


def link_in(vendor: FakeSendGrid, kind: str) -> str:
    text = sent(vendor)["content"][0]["value"]
    found = re.search(rf"{PUBLIC}{kind}[^>\s]+", text)
    assert found, text
    return found[0]
