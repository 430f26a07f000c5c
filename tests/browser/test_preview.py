"""The preview in a real Chromium: views, saves, errors, hostile emails, keys."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, Page, expect
from preview_server import PreviewClient, serving

from newsletter.sending.rehearsal import FakeSendGrid

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SAMPLE = "2026-11-22-reading-the-tide"


@pytest.fixture(scope="module")
def preview(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PreviewClient]:
    """A preview of the sample newsletter."""
    folder = tmp_path_factory.mktemp("harbour").resolve()
    shutil.copyfile(ROOT / "newsletter.yml", folder / "newsletter.yml")
    for name in ("issues", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    with serving(folder, SAMPLE) as served:
        yield served


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that may log no error, except for a file that was deleted while it was requested."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "console",
        lambda message: errors.append(message.text) if message.type == "error" else None,
    )
    yield opened
    opened.context.close()
    assert [error for error in errors if "409 (Conflict)" not in error] == []


def email_frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe.front")


FRAME = """((f) => ((w, d) => %s)(f.contentWindow, f.contentDocument))(
    document.querySelector("iframe.front"))"""


def evaluate_in_frame(page: Page, script: str) -> Any:
    """Evaluate a script with the visible frame's window ``w`` and document ``d``."""
    return page.evaluate(FRAME % script)


def open_page(page: Page, preview: PreviewClient, chosen: str = "") -> Page:
    page.goto(preview.url + chosen)
    expect(page.locator("#live-text")).to_have_text("Live")
    if not chosen:
        expect(page.locator("iframe.front[data-shown]")).to_have_count(1)
    return page


def get_heading_color(page: Page) -> str:
    return str(evaluate_in_frame(page, "w.getComputedStyle(d.querySelector('h1')).color"))


def test_width_by_preset_key_and_dragging(page: Page, preview: PreviewClient) -> None:
    open_page(page, preview)
    for name, width in (("Tablet", 768), ("Phone", 390), ("Desktop", 1024)):
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.locator("#width")).to_contain_text(f"{width} px")
        assert evaluate_in_frame(page, "w.innerWidth") == width
    page.keyboard.press("p")
    grip = page.get_by_role("slider", name="Width of the mail")
    grip.focus()
    page.keyboard.press("ArrowRight")
    assert evaluate_in_frame(page, "w.innerWidth") == 400
    box = grip.bounding_box()
    assert box
    page.mouse.move(box["x"] + 8, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 58, box["y"] + 100)
    page.mouse.up()
    assert evaluate_in_frame(page, "w.innerWidth") > 480
    expect(grip).to_have_attribute("aria-valuenow", str(evaluate_in_frame(page, "w.innerWidth")))


def test_scheme_images_client_and_recipient_change_the_email(
    page: Page, preview: PreviewClient
) -> None:
    open_page(page, preview)
    light = get_heading_color(page)
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(email_frame(page).locator("body")).to_have_css("background-color", "rgb(16, 18, 20)")
    dark = get_heading_color(page)
    page.get_by_role("button", name="Forced dark").click()
    expect(email_frame(page).locator("html")).to_have_css("background-color", "rgb(26, 26, 26)")
    assert len({light, dark, get_heading_color(page)}) == 3
    page.get_by_role("button", name="Light").click()

    images = "[...d.images].filter((image) => image.naturalWidth > 1).length"
    expect(email_frame(page).locator("html")).to_have_css("color-scheme", "light")
    assert evaluate_in_frame(page, images) > 3
    page.get_by_role("button", name="Images").click()
    expect(email_frame(page).locator("img[src='data:,']").first).to_be_attached()
    assert evaluate_in_frame(page, images) == 0
    page.get_by_role("button", name="Images").click()

    page.get_by_label("Client").select_option("outlook")
    expect(page.get_by_role("heading", name="A simulation of Outlook for Windows")).to_be_visible()
    expect(page.get_by_role("link", name="border-radius")).to_be_visible()
    expect(email_frame(page).locator("[style*=border-radius]")).to_have_count(0)
    page.get_by_label("Client").select_option("")

    page.get_by_label("Reader").select_option("html")
    expect(email_frame(page).get_by_text("Good morning <b onmouseover")).to_be_visible()
    page.get_by_label("Reader").select_option("nameless")
    expect(email_frame(page).get_by_text("Good morning friend")).to_be_visible()


def test_every_other_tab_shows_its_content(page: Page, preview: PreviewClient) -> None:
    open_page(page, preview)
    for tab, text in (
        ("Plain text", "How to read a tide table"),
        ("HTML", "<!DOCTYPE html>"),
        ("MJML", "<mj-body"),
        ("Headers", "List-Id: Harbour Notes <harbour-notes."),
        ("API request", '"personalizations"'),
    ):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator("#source")).to_contain_text(text)
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
    expect(
        email_frame(page).get_by_role("heading", name="How to read a tide table")
    ).to_be_visible()
    assert evaluate_in_frame(page, "w.getComputedStyle(d.body).margin") == "0px"
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator("#difference")).to_contain_text("coffee-on-the-quay")
    page.get_by_role("tab", name="Compare").press("ArrowRight")
    expect(page.get_by_role("tab", name="Proof sheet")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Mail")).to_be_focused()


def test_keyboard_shortcuts_and_issue_list(page: Page, preview: PreviewClient) -> None:
    open_page(page, preview)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1)).to_have_text("Coffee on the quay")
    page.get_by_text("Emails to one reader").click()
    page.get_by_role("button", name="Welcome").click()
    expect(email_frame(page).locator("h1")).to_have_text("Welcome")
    expect(page.get_by_label("Subject")).to_have_value("Welcome to Harbour Notes")
    expect(page.get_by_label("Subject")).not_to_be_editable()
    expect(page.get_by_role("tab", name="Web page")).to_be_hidden()
    expect(page.locator("#findings-section")).to_be_hidden()
    results = Axe().run(page, options={"iframes": False})
    assert results.violations_count == 0, results.generate_report()
    page.keyboard.press("k")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirm the sign-up")
    page.get_by_role("navigation").get_by_role("button", name="How to read a tide").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How to read a tide table")
    expect(email_frame(page).locator("h1")).to_have_text("How to read a tide table")
    email_frame(page).locator(".article a[href^=https]").first.click()
    expect(page.locator("#link-url")).to_contain_text("https://")
    assert evaluate_in_frame(page, "w.location.pathname").endswith("/mail")


def test_clicking_a_finding_scrolls_to_its_place(
    served: PreviewClient, boat_issue: Path, page: Page
) -> None:
    (boat_issue / "post.md").write_text(
        "---\ntitle: The first boat\n---\n" + "Words of the quay.\n\n" * 80 + "Lorem ipsum dolor.\n"
    )
    open_page(page, served, "#tab=text")
    finding = page.locator(".finding", has_text="placeholder-text").first
    expect(finding).to_contain_text("post.md:164")
    finding.click()
    expect(page.get_by_role("tab", name="Mail", exact=True)).to_have_attribute(
        "aria-selected", "true"
    )
    expect(email_frame(page).get_by_text("Lorem ipsum")).to_be_in_viewport()


def test_further_findings_of_a_rule_are_folded(
    served: PreviewClient, boat_issue: Path, page: Page
) -> None:
    body = "Lorem ipsum.\n\n" + "Words of the quay.\n\n" * 80 + "It is TODO.\n\n[insert name]\n"
    (boat_issue / "post.md").write_text(f"---\ntitle: The first boat\n---\n{body}")
    open_page(page, served)
    entry = page.locator("#findings > li", has_text="placeholder-text")
    expect(entry).to_have_count(1)
    expect(entry.locator(".finding:visible")).to_have_count(1)
    expect(entry.locator(".finding:visible")).to_contain_text("post.md:4")
    expect(entry.locator(".remedy")).to_have_count(1)
    entry.get_by_text("2 more", exact=True).click()
    expect(entry.locator(".finding:visible .place")).to_have_text(
        ["post.md:4", "post.md:166", "post.md:168"]
    )
    entry.locator(".finding", has_text="insert name").click()
    expect(email_frame(page).get_by_text("[insert name]")).to_be_in_viewport()
    alone = page.locator("#findings > li", has_text="no-preheader")
    expect(alone.locator("details")).to_have_count(0)


def test_save_is_shown_and_scroll_position_kept(
    served: PreviewClient, boat_issue: Path, page: Page
) -> None:
    post = boat_issue / "post.md"
    post.write_text("---\ntitle: Boat\n---\n" + "A line of words.\n\n" * 80)
    open_page(page, served)
    expect(email_frame(page).get_by_text("A line of words.")).to_have_count(80)
    evaluate_in_frame(page, "w.scrollTo(0, 900)")
    post.write_text(post.read_text() + "The last word.\n")
    expect(email_frame(page).get_by_text("The last word.")).to_be_attached()
    assert evaluate_in_frame(page, "w.scrollY") == 900

    post.write_text("---\ntitle: [Boat\n---\nWords.\n")
    expect(page.get_by_role("heading", name="Can't render this email")).to_be_visible()
    expect(page.locator("#faults .here")).to_be_visible()
    expect(page.locator("#faults .place")).to_contain_text("post.md:")
    expect(page.locator("iframe.front")).to_be_hidden()
    page.get_by_role("button", name="Show last good version").click()
    expect(email_frame(page).get_by_text("The last word.")).to_be_attached()
    expect(page.locator("#facts")).to_contain_text("Last good version")

    for number in range(10):
        post.write_text(f"---\ntitle: Boat\n---\nSave number {number}.\n")
    expect(email_frame(page).get_by_text("Save number 9.")).to_be_visible()
    expect(page.locator("#live-text")).to_have_text("Live")
    post.unlink()
    expect(page.get_by_role("heading", name="Can't render this email")).to_be_visible()


HOSTILE = """
<mj-raw><script>parent.document.title = 'owned'; document.title = 'owned'</script>
<img src="x" onerror="parent.document.title = 'owned'" alt="" />
<a id="trap" href="javascript:parent.document.title='owned'">click</a>
<iframe src="javascript:top.document.title='owned'"></iframe>
<form action="https://evil.example/"><button id="post">post</button></form>
<meta http-equiv="refresh" content="0;url=https://evil.example/" /></mj-raw>
"""


def test_hostile_email_runs_no_script(
    browser: Browser, served: PreviewClient, boat_issue: Path
) -> None:
    page = browser.new_page()
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    template = served.workspace.project.templates_dir / "issue.mjml"
    text = template.read_text()
    template.write_text(re.sub(r"(<mj-body[^>]*>)", lambda match: match[1] + HOSTILE, text))
    (boat_issue / "post.md").write_text(
        "---\ntitle: <script>document.title='owned'</script>\n---\n"
        "<script>parent.document.title='owned'</script>\n\n"
        "<img src='https://evil.example/x.png' onerror=\"parent.document.title='owned'\">Here.\n"
    )
    served.workspace.invalidate([template, boat_issue])
    assert not served.workspace.get_state(boat_issue.name).problems
    open_page(page, served)
    trap = email_frame(page).locator("#trap")
    trap.click()
    email_frame(page).locator("#post").click()
    for tab in ("Inbox", "HTML", "Compare", "API request", "MJML", "Mail"):
        page.get_by_role("tab", name=tab, exact=True).click()
    expect(trap).to_be_visible()
    assert page.title() != "owned"
    assert evaluate_in_frame(page, "d.title") != "owned"
    assert {url for url in requested if "evil" in url} == {"https://evil.example/x.png"}
    page.context.close()


def test_test_email_is_sent(
    served: PreviewClient, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = served.workspace.project.root / "newsletter.yml"
    with FakeSendGrid() as sendgrid:
        settings.write_text(f"{settings.read_text()}sendgrid:\n  host: {sendgrid.url}\n")
        monkeypatch.setenv("SENDGRID_API_KEY", sendgrid.key)
        served.workspace.invalidate([settings])
        open_page(page, served)
        page.get_by_role("button", name="Send me a test").click()
        page.get_by_label("Your address").fill("me@example.com")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator("#send-result")).to_have_text(
            "Sent [TEST] The first boat to me@example.com"
        )
        page.get_by_label("Your address").fill("me@example.com, you@example.com,me@example.com")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator("#send-result")).to_have_text(
            "Sent [TEST] The first boat to me@example.com, you@example.com"
        )
        page.reload()
        page.get_by_role("button", name="Send me a test").click()
        expect(page.get_by_label("Your address")).to_have_value("me@example.com,you@example.com")


# What is wider than the box it is in, or beside the window; text with an ellipsis may be.
CUT_OFF = """[...document.querySelectorAll(".head, .tabs, .tools, .notes, .sidebar, .envelope")]
  .filter((box) => box.getClientRects().length)
  .flatMap((box) => [box, ...box.querySelectorAll("button, select, input, dl, code")])
  .filter((e) => e.getClientRects().length && !e.closest("#issues"))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1
    || e.scrollWidth > e.clientWidth + 1 && !["INPUT", "SELECT", "CODE", "DL"].includes(e.tagName))
  .map((e) => e.id || e.className || e.outerHTML)"""


@pytest.mark.parametrize(
    ("width", "scheme", "chosen"),
    [(1440, "light", ""), (1440, "dark", "#tab=headers"), (900, "light", "#tab=inbox"),
     (900, "dark", "#client=outlook"), (1440, "light", "#tab=compare"),
     (900, "light", ""), (900, "dark", ""), (900, "dark", "#tab=compare"),
     (1440, "light", "#tab=sheet"), (900, "dark", "#tab=sheet")],
)  # fmt: skip
def test_page_is_accessible_and_fits(
    browser: Browser, preview: PreviewClient, width: int, scheme: Any, chosen: str
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(preview.url + chosen)
    expect(page.locator("#live-text")).to_have_text("Live")
    expect(page.locator("#findings li").first).to_be_attached()
    expect(page.locator("#next-commands li").first).to_be_attached()
    expect(page.locator("#inbox-line")).to_contain_text("the sea keeps a diary")
    results = Axe().run(page, options={"iframes": False})
    assert results.violations_count == 0, results.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_OFF) == []
    page.context.close()
