"""The preview's page changes the envelope, imports a dropped post, and makes a proof sheet."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from preview_server import serving

from newsletter.preview.headless_browser import find_chromium

pytestmark = pytest.mark.browser

POST = """\
---
title: The first boat
# The subject of the year
subject: "The ice went"   # short
tags: [boats,  'spring']
---
Dear {{ subscriber.name | default("friend") }}, the ice let go.
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    opened.context.close()
    assert errors == []


@pytest.fixture
def opened(page: Page, boat_issue: Path) -> Iterator[Page]:
    """The page of an issue with a subject and comments."""
    (boat_issue / "post.md").write_text(POST)
    with serving(boat_issue.parent.parent, boat_issue.name) as preview:
        page.goto(preview.url)
        expect(page.get_by_label("Subject")).to_have_value("The ice went")
        yield page


def test_subject_is_changed_in_the_post_and_nothing_else(opened: Page, boat_issue: Path) -> None:
    note = opened.locator("#envelope-subject-note")
    expect(note).to_have_text("12 characters")
    subject = opened.get_by_label("Subject")
    subject.fill('{{ subscriber.name | default("Friend") }}: it\'s #1 🐙')
    expect(note).to_have_text("17 characters · Enter saves, Escape restores")
    subject.press("Enter")
    expect(opened.locator("#inbox-line")).to_contain_text("Sample Reader: it's #1 🐙")
    changed = '"{{ subscriber.name | default(\\"Friend\\") }}: it\'s #1 🐙"'
    lines = (boat_issue / "post.md").read_text().splitlines()
    assert lines[3] == f"subject: {changed}  # short"
    lines[3] = POST.splitlines()[3]
    assert lines == POST.splitlines()

    subject.fill("")
    subject.press("Enter")
    expect(note).to_have_text("14 characters · from the title")
    expect(subject).to_have_attribute("placeholder", "The first boat")
    expect(opened.locator("#inbox-line")).to_contain_text("The first boat")


def test_escape_restores_and_writes_nothing(opened: Page, boat_issue: Path) -> None:
    preheader = opened.get_by_label("Preheader")
    preheader.fill("It came on Tuesday.")
    preheader.press("Escape")
    expect(preheader).to_have_value("")
    expect(preheader).not_to_be_focused()
    assert (boat_issue / "post.md").read_text() == POST


def test_conflict_with_the_editors_own_save_loses_neither_text(
    opened: Page, boat_issue: Path
) -> None:
    post = boat_issue / "post.md"
    subject = opened.get_by_label("Subject")
    subject.fill("Mine")
    theirs = POST.replace("The ice went", "Theirs")
    post.write_text(theirs)
    subject.press("Enter")
    message = opened.locator("#envelope-message")
    expect(message).to_contain_text("post.md has changed since; the page has been reloaded")
    expect(message).to_contain_text("“Theirs”")
    expect(subject).to_have_value("Mine")
    assert post.read_text() == theirs
    subject.press("Enter")
    expect(message).to_be_hidden()
    expect(opened.locator("#inbox-line")).to_contain_text("Mine")
    assert post.read_text().splitlines()[3] == 'subject: "Mine"     # short'


def test_value_that_is_not_valid_is_refused_with_its_message(
    opened: Page, boat_issue: Path
) -> None:
    sender = opened.get_by_label("From")
    sender.fill("{{ subscriber.name }}")
    sender.press("Enter")
    expect(opened.locator("#envelope-message")).to_contain_text("the same for every reader")
    expect(sender).to_have_value("{{ subscriber.name }}")
    assert (boat_issue / "post.md").read_text() == POST


def test_issue_is_not_left_with_an_unsaved_change(opened: Page, boat_issue: Path) -> None:
    other = boat_issue.with_name("2026-11-01-autumn")
    other.mkdir()
    (other / "post.md").write_text("---\ntitle: Autumn\n---\nWords.\n")
    (boat_issue / "post.md").write_text(POST + "\nMore.\n")
    entry = opened.get_by_role("navigation").get_by_role("button", name="Autumn")
    expect(entry).to_be_visible()
    subject = opened.get_by_label("Subject")
    subject.fill("Mine")
    entry.click()
    expect(opened.locator("#envelope-message")).to_contain_text("Enter")
    expect(subject).to_be_focused()
    expect(subject).to_have_value("Mine")
    subject.press("Escape")
    entry.click()
    expect(opened.get_by_role("heading", level=1)).to_have_text("Autumn")


def test_toml_is_shown_but_not_changed(page: Page, boat_issue: Path) -> None:
    (boat_issue / "post.md").write_text('+++\ntitle = "Boat"\nsubject = "Ice"\n+++\nWords.\n')
    with serving(boat_issue.parent.parent, boat_issue.name) as preview:
        page.goto(preview.url)
        expect(page.get_by_label("Subject")).to_have_value("Ice")
        expect(page.get_by_label("Subject")).not_to_be_editable()
        expect(page.locator("#envelope-message")).to_contain_text("is TOML: change it in post.md")


DROP = """([name, text]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([text], name));
  const fire = (type) => document.body.dispatchEvent(
    new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  fire("dragenter"); fire("dragover"); fire("drop");
}"""


def test_empty_folder_takes_a_dropped_post(page: Page, project_folder: Path) -> None:
    with serving(project_folder, "") as preview:
        page.goto(preview.url)
        expect(page.get_by_role("heading", name="No issues yet")).to_be_visible()
        expect(page.locator("#live-text")).to_have_text("Live")
        page.evaluate(DROP, ["gulls.docx", "words"])
        expect(page.get_by_role("dialog")).to_contain_text("'gulls.docx' is not a post")
        page.get_by_role("button", name="Close").click()
        html = "<html><body><article><h1>Gulls</h1><p>They came in May and stayed.</p><div class='share'><a href='https://twitter.com/share'>Share on Twitter</a></div></article></body></html>"  # noqa: E501
        page.evaluate(DROP, ["2026-05-01-gulls.html", html])
        expect(page.get_by_role("dialog")).to_contain_text("2026-05-01-gulls")
        expect(page.get_by_role("dialog")).to_contain_text("Share on Twitter")
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Gulls")
        expect(page.frame_locator("iframe.front").locator("h1")).to_have_text("Gulls")
        expect(page.get_by_role("heading", name="No issues yet")).to_be_hidden()
        page.locator("#import-file").set_input_files(
            {"name": "kelp.md", "mimeType": "text/markdown", "buffer": b"# Kelp\n\nIt grows.\n"}
        )
        expect(page.get_by_role("heading", level=1)).to_have_text("Kelp")


def test_issue_that_the_command_line_imports_is_shown(page: Page, project_folder: Path) -> None:
    with serving(project_folder, "") as preview:
        page.goto(preview.url)
        expect(page.locator("#live-text")).to_have_text("Live")
        folder = preview.workspace.project.issues_dir / "2026-05-01-gulls"
        folder.mkdir(parents=True)
        (folder / "post.md").write_text("# Gulls\n\nThey came.\n")
        expect(page.get_by_role("heading", level=1)).to_have_text("Gulls")


def test_proof_sheet_has_four_frames_and_saves_a_picture(opened: Page, tmp_path: Path) -> None:
    opened.get_by_role("tab", name="Proof sheet").click()
    frames = opened.locator("#sheet iframe")
    expect(frames).to_have_count(4)
    for number, (width, color) in enumerate(
        ((390, "rgb(255, 255, 255)"), (390, ""), (1024, ""), (1024, "rgb(16, 18, 20)"))
    ):
        frame = opened.frame_locator("#sheet iframe").nth(number)
        expect(frame.get_by_text("the ice let go")).to_be_visible()
        assert frame.locator("html").evaluate("() => innerWidth") == width
        if color.startswith("rgb(16"):
            expect(frame.locator("body")).to_have_css("background-color", color)
    assert opened.evaluate("document.getElementById('sheet').scrollWidth <= innerWidth")
    with opened.expect_download(timeout=90_000) as download:
        opened.get_by_role("button", name="Save as PNG").click()
    picture = tmp_path / "sheet.png"
    download.value.save_as(picture)
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG")
    assert int.from_bytes(data[16:20], "big") == 1_600
    assert int.from_bytes(data[20:24], "big") > 200

    opened.emulate_media(media="print")
    expect(opened.locator(".sidebar")).to_be_hidden()
    expect(opened.locator(".head")).to_be_hidden()
    expect(frames.first).to_be_visible()


def test_no_chromium_no_button(
    page: Page, boat_issue: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with serving(boat_issue.parent.parent, boat_issue.name) as preview:
        page.goto(f"{preview.url}#tab=sheet")
        expect(page.locator("#sheet iframe")).to_have_count(4)
        expect(page.get_by_role("button", name="Save as PNG")).to_be_hidden()
        response = preview.post("sheet.png", {"issue": boat_issue.name}, origin=preview.origin)
        assert response.status == 404
    assert find_chromium({"PATH": str(tmp_path)}) is None
