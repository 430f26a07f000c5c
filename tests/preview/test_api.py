"""What the page gets when it asks, over real sockets."""

import email
import email.policy
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from preview_server import Served

from newsletter.preview.sample_recipients import EDGE_CASES, anonymize_recipient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.subscribers import Recipient

Cli = Callable[..., tuple[int, str, str]]


def test_a_save_is_told_with_the_new_version(served: Served, boat_issue: Path) -> None:
    with served.stream() as told:
        first = next(told)
        assert first["proof"]["title"] == "The first boat"
        (boat_issue / "post.md").write_text("---\ntitle: The second boat\n---\nWords.\n")
        second = next(told)
    assert second["version"] > first["version"]
    assert second["proof"]["title"] == "The second boat"


def test_an_editors_way_of_saving_is_seen(served: Served, boat_issue: Path) -> None:
    settings = served.desk.project.root / "newsletter.yml"
    with served.stream() as told:
        next(told)
        aside = settings.with_name("newsletter.yml.new")
        aside.write_text("nothing: here\n")
        aside.replace(settings)
        assert next(told)["faults"][0]["file"].endswith("newsletter.yml")
        (boat_issue / "post.md").unlink()
        assert next(told)["faults"]


def test_ten_saves_in_a_row_end_with_the_last(served: Served, boat_issue: Path) -> None:
    with served.stream() as told:
        next(told)
        for number in range(10):
            (boat_issue / "post.md").write_text(f"---\ntitle: Save {number}\n---\nWords.\n")
        titles = []
        for state in told:
            titles.append(state["proof"]["title"])
            if titles[-1] == "Save 9":
                break
    assert titles[-1] == "Save 9"


@pytest.mark.parametrize("kind", ["text", "html", "mjml", "headers", "request"])
def test_sources_are_shown_escaped(served: Served, kind: str) -> None:
    data = served.data(f"source/{kind}?reader=html")
    assert data["raw"]
    assert data["html"].count('<span class="line">') == data["html"].count("\n") + 1
    assert "<script" not in data["html"].lower()


def test_the_request_is_the_one_that_would_go(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.secret-secret-secret")
    raw = served.data("source/request")["raw"]
    assert '"personalizations"' in raw
    assert "reader@example.com" in raw
    assert "SG.secret" not in raw


def test_the_web_page_brings_its_style_and_runs_nothing(served: Served) -> None:
    answer = served.get("web?scheme=dark")
    page = answer.data.decode()
    assert answer.status == 200, page
    assert "The first boat</h1>" in page
    assert "<style>" in page
    assert "stylesheet" not in page
    assert "prefers-color-scheme" not in page
    assert "sandbox allow-same-origin" in answer.headers["content-security-policy"]


def test_there_is_no_other_source(served: Served) -> None:
    assert served.get("source/other").status == 404


def test_an_inbox_sees_the_preheader_first(served: Served) -> None:
    data = served.data("inbox")
    assert data["subject"] == "The first boat"
    assert data["snippet"].startswith("It came on Tuesday.")


@pytest.mark.parametrize("key", EDGE_CASES)
def test_odd_readers_values_are_escaped(served: Served, key: str) -> None:
    page = served.get(f"mail?reader={key}").data.decode()
    assert "-nl0" not in page
    assert "<script" not in page
    assert "<b onmouseover" not in page


def test_the_file_to_download_is_a_mail(served: Served) -> None:
    answer = served.get("eml")
    assert "first-boat.eml" in answer.headers["content-disposition"]
    message = email.message_from_bytes(answer.data, policy=email.policy.default)
    assert message["subject"] == "The first boat"
    assert message["list-unsubscribe"]


def test_a_picture_is_served_from_its_folder_and_nothing_else_is(
    served: Served, boat_issue: Path
) -> None:
    (boat_issue / "boat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    picture = served.get(f"file/{boat_issue.name}/boat.png")
    assert picture.status == 200
    assert "sandbox" in picture.headers["content-security-policy"]
    (boat_issue / "secret.png").symlink_to(served.desk.project.root / "newsletter.yml")
    for path in (
        f"{boat_issue.name}/post.md",
        f"{boat_issue.name}/%2e%2e/%2e%2e/newsletter.yml",
        f"{boat_issue.name}/secret.png",
        "%2e%2e/newsletter.yml",
        "nowhere/boat.png",
    ):
        assert served.get(f"file/{path}").status == 404, path


def test_what_a_client_strips_is_named_with_its_source(served: Served) -> None:
    data = served.data("stripped?client=outlook")
    assert data["client"] == "Outlook for Windows"
    assert any(one["name"] == "border-radius" for one in data["stripped"])
    assert all(one["url"].startswith(data["source"]) for one in data["stripped"])
    assert served.data("stripped?client=unknown") == {"client": ""}


def test_looking_makes_no_database(served: Served) -> None:
    shelf = served.data("issues")
    served.data("readers")
    assert [one["state"] for one in shelf["issues"]] == ["ready"]
    assert not list(served.desk.project.root.glob("*.db"))


def test_readers_of_the_list_are_masked_unless_asked_for(
    served: Served, cli: Cli, tmp_path: Path
) -> None:
    (tmp_path / "readers.csv").write_text("email,name\nada@example.com,Ada Quill\n")
    code, _, err = cli("subscribers", "import", tmp_path / "readers.csv")
    assert code == 0, err
    served.data("issues")
    masked = served.data("readers")[-1]
    assert "Ada" not in masked["label"]
    assert served.data("readers?real=1")[-1]["label"] == "Ada Quill"
    page = served.get(f"mail?reader={masked['key']}").data.decode()
    assert "Xxx Xxxxx" in page
    assert "Ada" not in page
    real = served.get(f"mail?reader={masked['key']}&real=1").data.decode()
    assert "Ada Quill" in real
    assert "/u/sample" in real


def test_a_masked_reader_keeps_no_word() -> None:
    reader = Recipient(7, "ada@example.com", "ada@example.com", "secret", {"city": "Bergen 5"})
    assert anonymize_recipient(reader) == Recipient(
        7, "reader-7@example.com", "reader-7@example.com", "sample",
        {"city": "Xxxxxx 0", "email": "reader-7@example.com"},
    )  # fmt: skip


def test_issues_are_listed_with_their_state(
    served: Served, cli: Cli, tmp_path: Path, boat_issue: Path
) -> None:
    for name, post in {
        "2026-11-01-draft": "---\ntitle: A draft\ndraft: true\n---\nWords.\n",
        "2026-11-02-broken": "---\ntitle: [\n---\nWords.\n",
    }.items():
        folder = boat_issue.with_name(name)
        folder.mkdir()
        (folder / "post.md").write_text(post)
    settings = served.desk.project.root / "newsletter.yml"
    text = settings.read_text().replace("harbournotes.example", "harbour-notes.org")
    settings.write_text(f"{text}public_url: https://news.harbour-notes.org\n")
    (tmp_path / "readers.csv").write_text("email\nada@example.com\n")
    assert cli("subscribers", "import", tmp_path / "readers.csv")[0] == 0
    code, _, err = cli("plan", "first-boat")
    assert code == 0, err
    listed = {one["title"]: one["state"] for one in served.data("issues")["issues"]}
    assert listed == {"The first boat": "planned", "broken": "broken", "A draft": "draft"}


def test_the_first_issue_has_none_before_it(served: Served) -> None:
    assert "first issue" in served.data("compare/issue")["problem"]


def test_an_issue_is_compared_with_its_last_commit(served: Served, boat_issue: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *words], check=True
        )

    assert "problem" in served.data("compare/commit")
    # A link inside the newsletter is followed, one that leads out of it is not there.
    templates = served.desk.project.templates_dir
    (templates / "issue.mjml").rename(templates / "partials" / "of-an-issue.mjml")
    (templates / "issue.mjml").symlink_to("partials/of-an-issue.mjml")
    (templates / "outside.css").symlink_to("/etc/hostname")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "First")
    post = boat_issue / "post.md"
    with served.stream() as told:
        next(told)
        post.write_text(post.read_text().replace("the ice", "the snow"))
        next(told)
    data = served.data("compare/commit")
    words = {piece["text"].strip(): piece["kind"] for one in data["passages"] for piece in one}
    assert words["ice"] == "removed"
    assert words["snow"] == "added"


def test_a_test_copy_goes_by_sendgrid(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"issue": "2026-11-24-first-boat", "to": "me@example.com"}
    refused = served.post("test", data, origin=served.origin)
    assert refused.status == 422
    assert "SENDGRID_API_KEY" in refused.data.decode()
    with FakeSendGrid() as vendor:
        monkeypatch.setenv("SENDGRID_API_KEY", vendor.key)
        settings = served.desk.project.root / "newsletter.yml"
        with served.stream() as told:
            next(told)
            settings.write_text(f"{settings.read_text()}sendgrid:\n  host: {vendor.url}\n")
            next(told)
        answer = served.post("test", data, origin=served.origin)
        assert answer.status == 200, answer.data
        assert answer.json()["subject"] == "[TEST] The first boat"


@pytest.mark.parametrize("body", [[], "text", {"issue": 1}, {"to": "x" * 3000, "issue": ""}])
def test_what_the_page_does_not_send_is_refused(served: Served, body: object) -> None:
    assert served.post("test", body, origin=served.origin).status in {400, 413}


def test_the_page_and_its_parts_come_from_the_package(served: Served) -> None:
    page = served.get().data.decode()
    assert 'src="http' not in page
    for part in ("app.js", "dom.js", "frame.js", "notes.js", "views.js", "style.css", "icon.svg"):
        assert served.get(f"static/{part}").status == 200, part
