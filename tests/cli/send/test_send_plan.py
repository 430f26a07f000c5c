"""Approval in git: ``plan --out`` writes what ``send --plan`` sends, or refuses by name."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ready_to_send import ISSUE, POST, READERS, Cli, flatten, time_ahead

from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid import faults
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault

PLAN = ("plan", "ice", "--out", "plan.json")
SEND = ("send", "--plan", "plan.json", "--concurrency", "1")
POST_PATH = Path("issues") / ISSUE / "post.md"
IMAGE_PATH = POST_PATH.with_name("ice.png")


def add_readers(newsletter: Cli, count: int) -> None:
    rows = "".join(f"late{number}@example.com\n" for number in range(count))
    Path("late.csv").write_text(f"email\n{rows}")
    assert newsletter("subscribers", "import", "late.csv")[0] == 0


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_approved_plan_is_sent_once(newsletter: Cli, fake_sendgrid: FakeSendGrid) -> None:
    code, out, err = newsletter(*PLAN)
    assert (code, "Wrote plan.json. Nothing was frozen or sent." in out) == (0, True), err
    assert "newsletter send --plan plan.json" in err
    assert "Nothing has been sent or planned yet." in newsletter("status")[2]
    code, out, err = newsletter(*SEND, "--dry-run")
    assert (code, "approved  plan.json of" in out) == (0, True), err
    assert "A real send would start.\nNext: newsletter send --plan plan.json --conc" in out
    code, out, err = newsletter(*SEND)  # without a terminal, the plan is the approval
    assert (code, "Sent to 25 of 25 readers." in out) == (0, True), err
    assert newsletter(*SEND)[0] == newsletter(*PLAN)[0] == 3
    edit(POST_PATH, "Tuesday", "Monday")
    code, _, err = newsletter(*SEND)
    assert (code, "write the plan again" in flatten(err)) == (1, False), err
    assert len(fake_sendgrid.accepted) == READERS


def test_plan_shows_what_a_reviewer_needs_and_no_reader(
    newsletter: Cli, project_folder: Path, fake_sendgrid: FakeSendGrid
) -> None:
    (project_folder / "gone.csv").write_text("email,status\nreader3@example.com,unsubscribed\n")
    newsletter("subscribers", "import", "gone.csv")
    code, out, _ = newsletter(*PLAN, "--segment", "name ~ 'Reader'", "--json")
    text = (project_folder / "plan.json").read_text()
    printed, written = json.loads(out), json.loads(text)
    assert code == 0
    assert printed == {**written, "file": "plan.json", "written": True}
    assert written["subject"] == "The ice, {{ subscriber.name }}"
    assert written["sender"] == "Harbour Notes <editor@harbour-notes.org>"
    assert written["segment"] == {"name": "", "query": "name ~ 'Reader'"}
    assert written["readers"] == {"count": 24, "left_out": {"unsubscribed": 1}}
    assert list(written["files"]) == [POST_PATH.as_posix()]
    assert "templates/partials/footer.mjml" in written["templates"]
    assert "templates/words/en.yml" in written["templates"]
    assert "templates/magazine.mjml" not in written["templates"]
    assert written["settings"]["tracking.opens"] == "off"
    assert not [key for key in written["settings"] if key.startswith(("limits", "sendgrid.host"))]
    for secret in ("@example.com", fake_sendgrid.key, fake_sendgrid.url):
        assert secret not in text


def test_json_of_a_send_has_the_plan(newsletter: Cli) -> None:
    newsletter(*PLAN)
    plan = json.loads(Path("plan.json").read_text())
    for more in (("--dry-run",), ("--at", time_ahead(hours=2), "--local"), ("--dry-run",)):
        code, out, err = newsletter(*SEND, *more, "--json")
        assert (code, json.loads(out)["approval"]) == (0, plan), err
    assert newsletter("cancel", "ice")[0] == 0
    code, out, _ = newsletter(*SEND, "--json")
    assert (code, json.loads(out)["approval"], json.loads(out)["state"]) == (0, plan, "done")


FOOTER = Path("templates/partials/footer.mjml")
SETTINGS_PATH = Path("newsletter.yml")
# What is changed -> the file, the text in it, what replaces it, the message.
CHANGES: dict[str, tuple[Path, str, str, str]] = {
    "post": (POST_PATH, "Tuesday", "Monday", f"{POST_PATH}: changed since it was approved"),
    "subject": (
        POST_PATH,
        "The ice,",
        "Ice,",
        "the subject was 'The ice, {{ subscriber.name }}' and is 'Ice, {{ subscriber.name }}' now",
    ),
    "image": (IMAGE_PATH, "IEND", "IENd", f"{IMAGE_PATH}: changed since it was approved"),
    "partial": (FOOTER, "<mj-section", "<!-- --><mj-section", f"{FOOTER}: changed since"),
    "words": (
        Path("templates/words/en.yml"),
        "issue:",
        "# ours\nissue:",
        "templates/words/en.yml: changed since",
    ),
    "theme": (
        SETTINGS_PATH,
        "attributes:",
        "theme: {width: 500}\nattributes:",
        "newsletter.yml: theme.width was the default and is 500 now",
    ),
    "tracking": (
        SETTINGS_PATH,
        "attributes:",
        "tracking: all\nattributes:",
        'newsletter.yml: tracking.opens was "off" and is "all" now',
    ),
    "query": (
        SETTINGS_PATH,
        "name ~ 'R'",
        "name ~ 'Re'",
        "newsletter.yml: the segment all was 'name ~ 'R'' and is 'name ~ 'Re'' now",
    ),
}


@pytest.fixture
def with_image(newsletter: Cli, picture: bytes) -> Cli:
    IMAGE_PATH.write_bytes(picture)
    edit(POST_PATH, "Hello", "![The quay](ice.png)\n\nHello")
    edit(SETTINGS_PATH, "attributes:", "segments:\n  all: name ~ 'R'\nattributes:")
    assert newsletter(*PLAN, "--segment", "all")[0] == 0
    return newsletter


def test_whatever_has_changed_is_refused_by_name(
    with_image: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    for path, before, after, message in CHANGES.values():
        original = path.read_bytes()
        assert before.encode() in original
        path.write_bytes(original.replace(before.encode(), after.encode(), 1))
        code, _, err = with_image(*SEND, "--no-image-check")
        assert (code, message in flatten(err)) == (1, True), err
        assert "newsletter plan the-ice --out plan.json" in flatten(err)
        path.write_bytes(original)
    assert fake_sendgrid.requests == []


def test_what_cannot_change_the_email_is_not_bound(
    with_image: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    for path in (POST_PATH, FOOTER, Path("templates/words/en.yml")):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    edit(Path("newsletter.yml"), "batch_size: 10", "batch_size: 5")
    edit(Path("newsletter.yml"), "  all: name", "  everybody: name")
    Path("templates/plain.css").write_text("/* another design */")
    POST_PATH.with_name("notes.txt").write_text("unused")
    code, _, err = with_image(*SEND, "--no-image-check")
    assert code == 0, err
    assert len(fake_sendgrid.accepted) == READERS


def test_number_of_readers_may_move_by_five_percent(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    newsletter(*PLAN)
    add_readers(newsletter, 2)
    code, _, err = newsletter(*SEND)
    assert code == 1
    assert "27 readers now, and 25 were approved on" in flatten(err)
    assert "If 27 is right, add --accept-count 27" in flatten(err)
    assert newsletter(*SEND, "--accept-count", "50")[0] == 1
    assert fake_sendgrid.requests == []
    add_readers(newsletter, 3)
    code, out, err = newsletter(*SEND, "--accept-count", "27")
    assert (code, "Sent to 28 of 28 readers." in out) == (0, True), err


def test_send_that_was_stopped_is_resumed_by_the_same_plan(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    newsletter(*PLAN)
    fake_sendgrid.inject_faults(InjectedFault(accept=True), faults.error_response(403, "no more"))
    assert newsletter(*SEND)[0] == 1
    assert len(fake_sendgrid.accepted) == 10
    code, _, err = newsletter(*PLAN)
    assert (code, "is planned in the database already" in flatten(err)) == (1, True)
    assert newsletter(*SEND)[0] == 0
    assert len({email.address for email in fake_sendgrid.accepted}) == READERS
    assert len(fake_sendgrid.accepted) == READERS


def test_plan_of_the_whole_list_does_not_resume_a_send_to_a_segment(
    newsletter: Cli, fake_sendgrid: FakeSendGrid
) -> None:
    newsletter(*PLAN)
    newsletter("plan", "--segment", "name ~ 'Reader 2'")
    code, _, err = newsletter(*SEND)
    assert code == 1
    assert "the segment was the whole list and is 'name ~ 'Reader 2'' now" in flatten(err)
    assert fake_sendgrid.requests == []


def test_terminal_is_asked_for_the_count(
    newsletter: Cli, fake_sendgrid: FakeSendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    newsletter(*PLAN)
    terminal = SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("newsletter.cli.send.send.sys", terminal)
    code, _, err = newsletter(*SEND, typed="24\n")
    assert (code, "Type 25 to send" in err) == (1, True)
    assert newsletter(*SEND, "--yes")[0] == 0
    assert len(fake_sendgrid.accepted) == READERS


def test_plan_is_written_only_of_what_could_be_sent(newsletter: Cli) -> None:
    POST_PATH.write_text(POST.replace("---\nHello", "draft: true\n---\nHello"))
    code, _, err = newsletter(*PLAN)
    assert (code, "this issue is a draft" in err) == (1, True)
    POST_PATH.write_text(POST)
    code, _, err = newsletter(*PLAN, "--segment", "email = 'reader1@example.com'")
    assert (code, "has a reader's address" in err) == (1, True)
    assert newsletter(*PLAN, "--segment", "email ~ '@example.com'")[0] == 0
    code, _, err = newsletter("plan", "--out", "newsletter.yml")
    assert (code, "is not a plan" in err) == (1, True)
    for name in ("", ".", "issues/"):
        code, _, err = newsletter("plan", "--out", name)
        assert (code, "is not the name of a file" in err) == (2, True)


def test_plan_is_printed_for_a_dash(newsletter: Cli) -> None:
    code, out, err = newsletter("plan", "ice", "--out", "-")
    assert (code, err, Path("-").exists()) == (0, "", False)
    Path("plan.json").write_text(out)
    assert "plan.json has this plan already." in newsletter(*PLAN)[1]
    assert newsletter(*SEND)[0] == 0
    reader = ("--segment", "email = 'reader1@example.com'")
    assert newsletter("plan", "ice", "--out", "-", *reader)[:2] == (1, "")


def test_options_that_contradict_a_plan(newsletter: Cli) -> None:
    newsletter(*PLAN)
    for arguments in (
        ("send", "--accept-count", "5"),
        (*SEND, "ice"),
        (*SEND, "--segment", "tag:vip"),
        (*SEND, "--catch-up"),
        (*SEND, "--repeat-article"),
        (*SEND, "--due"),
        (*PLAN, "--again"),
        (*PLAN, "--batch-size", "5"),
    ):
        assert newsletter(*arguments)[0] == 2, arguments
