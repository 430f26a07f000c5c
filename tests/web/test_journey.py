"""From sign-up to erasure in a real Chromium, with the keyboard only."""

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
from ready_to_send import BASIC_SETTINGS

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
{BASIC_SETTINGS}attributes:
  name: friend
signup:
  least_seconds: 0
tracking: ask
preferences:
  tags:
    walks: News of walks along the shore
"""
MAX_TABS = 60

# Buttons have 44 pixels; what else is clicked, and isn't a link within a line, has 24 (WCAG 2.2,
# 2.5.5 and 2.5.8).
FIND_SMALL_TARGETS = """
[...document.querySelectorAll(`button, a.button, .facts a, .masthead a, label:has([type=checkbox]),
  label:has([type=radio]), input:not([type=hidden], [type=checkbox], [type=radio])`)]
  .map(element => [element, element.getBoundingClientRect().height])
  .filter(([element, height]) => height &&
    height < (element.matches("button, .button") ? 44 : 24))
  .map(([element]) => element.outerHTML)
"""

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
    """A page at a phone's size; the newsletter's public URL is routed to the test server."""
    opened = browser.new_page(viewport={"width": 375, "height": 800})
    opened.emulate_media(color_scheme=scheme)

    def forward(route: Route) -> None:
        url = route.request.url.replace(PUBLIC, server.url)
        route.fulfill(response=route.fetch(url=url, max_redirects=0))

    opened.route(f"{PUBLIC}/**", forward)
    yield opened
    opened.close()


class KeyboardUser:
    """A user who has only a keyboard."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.check_page()

    def focus(self, selector: str) -> None:
        """Press Tab until the element has the focus."""
        target = self.page.locator(selector).first
        for _ in range(MAX_TABS):
            if target.evaluate("element => element === document.activeElement"):
                return
            self.page.keyboard.press("Tab")
        pytest.fail(f"no key leads to {selector}")

    def type(self, selector: str, text: str) -> None:
        self.focus(selector)
        self.page.keyboard.press("ControlOrMeta+A")
        self.page.keyboard.type(text)

    def press(self, selector: str, key: str = "Enter") -> None:
        self.focus(selector)
        with self.page.expect_navigation():
            self.page.keyboard.press(key)
        self.check_page()

    def check_page(self) -> None:
        """The page fits the phone, and has no accessibility violation."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert self.page.evaluate(FIND_SMALL_TARGETS) == []
        results = Axe().run(self.page)
        assert results.violations_count == 0, results.generate_report()


@pytest.fixture
def sendgrid() -> Iterator[FakeSendGrid]:
    with FakeSendGrid() as double:
        yield double


@pytest.fixture
def mailer(site: Site, sendgrid: FakeSendGrid) -> Iterator[SendGridClient]:
    """A client of the fake SendGrid."""
    options = site.config.sendgrid.model_copy(update={"host": sendgrid.url})
    client = SendGridClient(sendgrid.key, options)
    yield client
    client.close()


@pytest.mark.parametrize("scheme", ["dark"])
def test_from_sign_up_to_erasure(
    site: Site, server: Any, page: Page, cli: Callable[..., Any], sendgrid: FakeSendGrid,
    mailer: SendGridClient, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("SENDGRID_API_KEY", sendgrid.key)
    monkeypatch.setenv("SENDGRID_HOST", sendgrid.url)
    user = KeyboardUser(page)

    user.open(f"{PUBLIC}/")
    user.open(f"{PUBLIC}/subscribe")
    user.type("#email", "Ada@example.org")
    user.type("#name", "Ada <b>Lovelace</b>")
    expect(page.locator("input[name=tracking]")).not_to_be_checked()
    optional = page.locator("label:has([name=tracking]) small").bounding_box()
    assert optional
    assert optional["height"] < 30, "it follows the text, not in a narrow column of its own"
    user.focus("input[name=tracking]")
    page.keyboard.press("Space")
    user.press("main button")
    assert status(site) is None, "nothing is stored before the confirmation email"
    assert send_due_emails(site, mailer) == 1
    confirm = find_link(sendgrid, "/confirm/")

    user.open(confirm)
    assert status(site) == "pending"
    expect(page.locator("input[name=tracking]")).to_be_checked()
    user.press("main button")
    assert status(site) == "active"
    assert consents(site) == (True, True)

    code, _, err = cli("send", ISSUE, "--yes", "--no-image-check")
    assert code == 0, err
    assert [recipient.address for recipient in sendgrid.accepted][1:] == ["Ada@example.org"]
    headers = get_latest_request(sendgrid)["personalizations"][0]["headers"]
    unsubscribe = headers["List-Unsubscribe"].strip("<>")
    preferences = unsubscribe.replace("/u/", "/p/")

    path = unsubscribe.removeprefix(PUBLIC)
    clicked = server.post(path, fields={"List-Unsubscribe": "One-Click"})
    assert (clicked.status, status(site)) == (200, "unsubscribed")

    # They want to sign up again: the preferences page leads to the form.
    user.open(preferences)
    user.press("main a[href$='subscribe']")
    user.type("#email", "ada@example.org")
    user.press("main button")
    expect(page.locator("main h1")).to_be_visible()

    user.open(unsubscribe)
    user.open(preferences)
    user.press("#erase ~ p button")
    assert status(site) == "unsubscribed", "nothing is erased before the email is confirmed"
    assert send_due_emails(site, mailer) >= 1
    user.open(find_link(sendgrid, "/erase/"))
    assert status(site) == "unsubscribed"
    user.press("main button")
    assert status(site) is None
    assert server.get(preferences.removeprefix(PUBLIC)).status == 404


@pytest.mark.parametrize("scheme", ["light"])
def test_subscriber_downloads_their_data(
    site: Site,
    add_subscriber: Callable[..., str],
    page: Page,
    sendgrid: FakeSendGrid,
    mailer: SendGridClient,
) -> None:
    token = add_subscriber("ada@example.org")
    user = KeyboardUser(page)
    user.open(f"{PUBLIC}/p/{token}")
    user.press("#data ~ p button")
    expect(page.get_by_role("status")).to_contain_text("a…@e….org")
    assert send_due_emails(site, mailer) == 1
    link = find_link(sendgrid, "/download/")
    user.open(link)
    user.focus("main button")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    file = download.value
    assert file.suggested_filename == "my-data.json"
    assert orjson.loads(Path(file.path()).read_bytes())["address"] == "ada@example.org"
    user.open(link)
    expect(page.locator("main h1")).to_have_text("This link has expired or was already used")


@pytest.mark.parametrize("scheme", ["dark"])
def test_bounced_subscriber_sees_where_to_write(
    add_subscriber: Callable[..., str], page: Page
) -> None:
    token = add_subscriber("ada@example.org", "bounced")
    user = KeyboardUser(page)
    user.open(f"{PUBLIC}/p/{token}")
    user.press("#erase ~ p button")
    expect(page.locator("main a[href='mailto:editor@harbour-notes.org']")).to_be_visible()


@pytest.mark.parametrize("scheme", ["dark"])
def test_subscriber_changes_their_address(
    site: Site,
    add_subscriber: Callable[..., str],
    page: Page,
    sendgrid: FakeSendGrid,
    mailer: SendGridClient,
) -> None:
    token = add_subscriber("ada@example.org")
    user = KeyboardUser(page)
    user.open(f"{PUBLIC}/p/{token}")
    user.type("#email", "ada@elsewhere.example")
    user.press("#move ~ p button")
    assert send_due_emails(site, mailer) == 2
    for number, expected in ((-2, "ada@example.org"), (-1, "ada@elsewhere.example")):
        user.open(find_link(sendgrid, "/move/", number))
        user.press("main button")
        with site.engine.connect() as connection:
            assert connection.scalar(sa.select(subscriber.c.address)) == expected


@pytest.mark.parametrize("scheme", ["light"])
def test_subscriber_changes_their_preferences(
    site: Site, add_subscriber: Callable[..., str], page: Page
) -> None:
    token = add_subscriber("ada@example.org")
    user = KeyboardUser(page)
    user.open(f"{PUBLIC}/p/{token}")
    user.focus("input[name=tag0]")
    page.keyboard.press("Space")
    user.press("#topics ~ p button")
    expect(page.locator("input[name=tag0]")).to_be_checked()
    user.press("button[value=month]")
    expect(page.locator("main time")).to_be_visible()
    user.press("button[value=none]")
    user.press("#tracking ~ p button[value=yes]")
    assert consents(site) == (True, True)
    user.press("#tracking ~ p button[value=no]")
    assert consents(site) == (False, False)
    user.type("#name", "Ada")
    user.press("#you ~ p button")
    expect(page.locator("#name")).to_have_value("Ada")
    user.press("button[name=leave]")
    assert status(site) == "unsubscribed"
    user.press("button[name=back]")
    assert status(site) == "active"


def status(site: Site) -> str | None:
    with site.engine.connect() as connection:
        return connection.scalar(sa.select(subscriber.c.status))


def consents(site: Site) -> tuple[bool | None, ...]:
    """Return whether the reader agrees that opens, and clicks, are recorded."""
    with site.engine.connect() as connection:
        query = sa.select(subscriber.c.opens_consent, subscriber.c.clicks_consent)
        return tuple(connection.execute(query).one())


def get_latest_request(sendgrid: FakeSendGrid, number: int = -1) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(sendgrid.requests[number].body)
    return body


def find_link(sendgrid: FakeSendGrid, kind: str, number: int = -1) -> str:
    """Find the link in the latest email, or in an earlier one."""
    text = get_latest_request(sendgrid, number)["content"][0]["value"]
    match = re.search(rf"{PUBLIC}{kind}[^>\s]+", text)
    assert match, text
    return match[0]
