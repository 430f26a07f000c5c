"""The preview's page in a real Chromium: every view, saves, errors, hostile mail, keys."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect
from preview_server import Served, serving

from newsletter.sending.rehearsal import FakeSendGrid

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SAMPLE = "2026-11-22-reading-the-tide"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A preview of the sample newsletter."""
    folder = tmp_path_factory.mktemp("harbour").resolve()
    shutil.copyfile(ROOT / "newsletter.yml", folder / "newsletter.yml")
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    with serving(folder, SAMPLE) as preview:
        yield preview


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may complain of nothing but of a file that went while it was asked for."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    yield opened
    opened.context.close()
    assert [words for words in wrong if "409 (Conflict)" not in words] == []


def mail(page: Page) -> FrameLocator:
    return page.frame_locator("iframe.front")


FRAME = """((f) => ((w, d) => %s)(f.contentWindow, f.contentDocument))(
    document.querySelector("iframe.front"))"""


def inside(page: Page, script: str) -> Any:
    """What the page sees in the frame that is shown."""
    return page.evaluate(FRAME % script)


def opened(page: Page, preview: Served, chosen: str = "") -> Page:
    page.goto(preview.url + chosen)
    expect(page.locator("#live-text")).to_have_text("Live")
    if not chosen:
        expect(page.locator("iframe.front[data-shown]")).to_have_count(1)
    return page


def colours(page: Page) -> str:
    return str(inside(page, "w.getComputedStyle(d.querySelector('h1')).color"))


def test_widths_are_real_and_can_be_dragged(page: Page, desk: Served) -> None:
    opened(page, desk)
    for name, width in (("Tablet", 768), ("Phone", 390), ("Desktop", 1024)):
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.locator("#width")).to_contain_text(f"{width} px")
        assert inside(page, "w.innerWidth") == width
    page.keyboard.press("p")
    grip = page.get_by_role("slider", name="Width of the mail")
    grip.focus()
    page.keyboard.press("ArrowRight")
    assert inside(page, "w.innerWidth") == 400
    box = grip.bounding_box()
    assert box
    page.mouse.move(box["x"] + 8, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 58, box["y"] + 100)
    page.mouse.up()
    assert inside(page, "w.innerWidth") > 480
    expect(grip).to_have_attribute("aria-valuenow", str(inside(page, "w.innerWidth")))


def test_schemes_images_clients_and_readers_change_the_mail(page: Page, desk: Served) -> None:
    opened(page, desk)
    light = colours(page)
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(mail(page).locator("body")).to_have_css("background-color", "rgb(16, 18, 20)")
    dark = colours(page)
    page.get_by_role("button", name="Forced dark").click()
    expect(mail(page).locator("html")).to_have_css("background-color", "rgb(26, 26, 26)")
    assert len({light, dark, colours(page)}) == 3
    page.get_by_role("button", name="Light").click()

    images = "[...d.images].filter((one) => one.naturalWidth > 1).length"
    expect(mail(page).locator("html")).to_have_css("color-scheme", "light")
    assert inside(page, images) > 3
    page.get_by_role("button", name="Images").click()
    expect(mail(page).locator("img[src='data:,']").first).to_be_attached()
    assert inside(page, images) == 0
    page.get_by_role("button", name="Images").click()

    page.get_by_label("Client").select_option("outlook")
    expect(page.get_by_role("heading", name="A simulation of Outlook for Windows")).to_be_visible()
    expect(page.get_by_role("link", name="border-radius")).to_be_visible()
    expect(mail(page).locator("[style*=border-radius]")).to_have_count(0)
    page.get_by_label("Client").select_option("")

    page.get_by_label("Reader").select_option("html")
    expect(mail(page).get_by_text("Good morning <b onmouseover")).to_be_visible()
    page.get_by_label("Reader").select_option("nameless")
    expect(mail(page).get_by_text("Good morning friend")).to_be_visible()


def test_every_other_view_shows_its_text(page: Page, desk: Served) -> None:
    opened(page, desk)
    for tab, words in (
        ("Plain text", "How to read a tide table"), ("HTML", "<!DOCTYPE html>"),
        ("MJML", "<mj-body"), ("Headers", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"),
        ("API request", '"personalizations"'),
    ):  # fmt: skip
        page.get_by_role("tab", name=tab).click()
        expect(page.locator("#source")).to_contain_text(words)
    page.get_by_role("tab", name="HTML").click()
    expect(page.locator("#source.html")).to_contain_text("<!DOCTYPE html>")
    page.keyboard.press("/")
    page.keyboard.type("</table>")
    expect(page.locator("#found")).to_have_text(re.compile(r"^1 of \d\d"))
    page.keyboard.press("Enter")
    expect(page.locator("#found")).to_have_text(re.compile(r"^2 of \d\d"))
    page.get_by_role("tab", name="Inbox").click()
    expect(page.locator(".inbox-row")).to_have_count(4)
    expect(page.locator(".inbox-row.gmail")).to_contain_text("the sea keeps a diary")
    page.get_by_role("tab", name="Web page").click()
    expect(mail(page).get_by_role("heading", name="How to read a tide table")).to_be_visible()
    assert inside(page, "w.getComputedStyle(d.body).margin") == "0px"
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#difference")).to_contain_text("coffee-on-the-quay")
    page.get_by_role("tab", name="Compare").press("ArrowRight")
    expect(page.get_by_role("tab", name="Mail")).to_be_focused()


def test_keys_and_issues(page: Page, desk: Served) -> None:
    opened(page, desk)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1)).to_have_text("Coffee on the quay")
    page.get_by_role("navigation").get_by_role("button", name="How to read a tide").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How to read a tide table")
    expect(mail(page).locator("h1")).to_have_text("How to read a tide table")
    mail(page).locator(".article a[href^=https]").first.click()
    expect(page.locator("#link-url")).to_contain_text("https://")
    assert inside(page, "w.location.pathname").endswith("/mail")


def test_a_finding_leads_to_its_place(served: Served, boat_issue: Path, page: Page) -> None:
    (boat_issue / "post.md").write_text(
        "---\ntitle: The first boat\n---\n" + "Words of the quay.\n\n" * 80 + "Lorem ipsum dolor.\n"
    )
    opened(page, served, "#tab=text")
    finding = page.locator(".finding", has_text="placeholder-text").first
    expect(finding).to_contain_text("post.md:164")
    finding.click()
    expect(page.get_by_role("tab", name="Mail", exact=True)).to_have_attribute(
        "aria-selected", "true"
    )
    expect(mail(page).get_by_text("Lorem ipsum")).to_be_in_viewport()


def test_a_save_is_shown_and_the_place_kept(served: Served, boat_issue: Path, page: Page) -> None:
    post = boat_issue / "post.md"
    post.write_text("---\ntitle: Boat\n---\n" + "A line of words.\n\n" * 80)
    opened(page, served)
    expect(mail(page).get_by_text("A line of words.")).to_have_count(80)
    inside(page, "w.scrollTo(0, 900)")
    post.write_text(post.read_text() + "The last word.\n")
    expect(mail(page).get_by_text("The last word.")).to_be_attached()
    assert inside(page, "w.scrollY") == 900

    post.write_text("---\ntitle: [Boat\n---\nWords.\n")
    expect(page.get_by_role("heading", name="Can't render this issue")).to_be_visible()
    expect(page.locator("#faults .here")).to_be_visible()
    expect(page.locator("#faults .place")).to_contain_text("post.md:")
    expect(page.locator("iframe.front")).to_be_hidden()
    page.get_by_role("button", name="Show last good version").click()
    expect(mail(page).get_by_text("The last word.")).to_be_attached()
    expect(page.locator("#facts")).to_contain_text("Last good version")

    for number in range(10):
        post.write_text(f"---\ntitle: Boat\n---\nSave number {number}.\n")
    expect(mail(page).get_by_text("Save number 9.")).to_be_visible()
    expect(page.locator("#live-text")).to_have_text("Live")
    post.unlink()
    expect(page.get_by_role("heading", name="Can't render this issue")).to_be_visible()


HOSTILE = """
<mj-raw><script>parent.document.title = 'owned'; document.title = 'owned'</script>
<img src="x" onerror="parent.document.title = 'owned'" alt="" />
<a id="trap" href="javascript:parent.document.title='owned'">click</a>
<iframe src="javascript:top.document.title='owned'"></iframe>
<form action="https://evil.example/"><button id="post">post</button></form>
<meta http-equiv="refresh" content="0;url=https://evil.example/" /></mj-raw>
"""


def test_hostile_mail_runs_nothing(browser: Browser, served: Served, boat_issue: Path) -> None:
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    template = served.desk.project.templates_dir / "issue.mjml"
    text = template.read_text()
    template.write_text(re.sub(r"(<mj-body[^>]*>)", lambda found: found[1] + HOSTILE, text))
    (boat_issue / "post.md").write_text(
        "---\ntitle: <script>document.title='owned'</script>\n---\n"
        "<script>parent.document.title='owned'</script>\n\n"
        "<img src='https://evil.example/x.png' onerror=\"parent.document.title='owned'\">Here.\n"
    )
    served.desk.invalidate([template, boat_issue])
    assert not served.desk.get_state(boat_issue.name).problems
    opened(page, served)
    trap = mail(page).locator("#trap")
    trap.click()
    mail(page).locator("#post").click()
    for tab in ("Inbox", "HTML", "Compare", "API request", "MJML", "Mail"):
        page.get_by_role("tab", name=tab, exact=True).click()
    expect(trap).to_be_visible()
    assert page.title() != "owned"
    assert inside(page, "d.title") != "owned"
    assert {url for url in asked if "evil" in url} == {"https://evil.example/x.png"}
    page.context.close()


def test_a_test_copy_is_sent_or_its_error_told(
    served: Served, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = served.desk.project.root / "newsletter.yml"
    with FakeSendGrid() as vendor:
        settings.write_text(f"{settings.read_text()}sendgrid:\n  host: {vendor.url}\n")
        monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
        served.desk.invalidate([settings])
        opened(page, served)
        page.get_by_role("button", name="Send me a test").click()
        page.get_by_label("Your address").fill("me@example.com")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator("#send-result")).to_have_text(
            "Sent [TEST] The first boat to me@example.com"
        )


@pytest.mark.parametrize(
    ("width", "scheme", "chosen"),
    [(1440, "light", ""), (1440, "dark", "#tab=headers"), (900, "light", "#tab=inbox"),
     (900, "dark", "#client=outlook"), (1440, "light", "#tab=compare")],
)  # fmt: skip
def test_the_page_is_accessible_and_fits(
    browser: Browser, desk: Served, width: int, scheme: Any, chosen: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(desk.url + chosen)
    expect(page.locator("#live-text")).to_have_text("Live")
    expect(page.locator("#findings li").first).to_be_attached()
    results = Axe().run(page, options={"iframes": False})
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.context.close()
