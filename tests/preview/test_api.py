"""The preview's API over real sockets: event stream, views, test emails."""

import base64
import email
import email.policy
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from preview_server import PreviewClient

from newsletter.preview.sample_recipients import EDGE_CASES, anonymize_recipient
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.subscribers import Recipient

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
Cli = Callable[..., tuple[int, str, str]]


def test_save_streams_a_new_version(served: PreviewClient, boat_issue: Path) -> None:
    with served.stream() as states:
        first = next(states)
        assert first["proof"]["title"] == "The first boat"
        (boat_issue / "post.md").write_text("---\ntitle: The second boat\n---\nWords.\n")
        second = next(states)
    assert second["version"] > first["version"]
    assert second["proof"]["title"] == "The second boat"


def test_replaced_and_deleted_files_are_noticed(served: PreviewClient, boat_issue: Path) -> None:
    settings = served.workspace.project.root / "newsletter.yml"
    with served.stream() as states:
        next(states)
        new_file = settings.with_name("newsletter.yml.new")
        new_file.write_text("nothing: here\n")
        new_file.replace(settings)
        assert next(states)["faults"][0]["file"].endswith("newsletter.yml")
        (boat_issue / "post.md").unlink()
        assert next(states)["faults"]


def test_ten_quick_saves_end_with_the_last_version(served: PreviewClient, boat_issue: Path) -> None:
    with served.stream() as states:
        next(states)
        for number in range(10):
            (boat_issue / "post.md").write_text(f"---\ntitle: Save {number}\n---\nWords.\n")
        titles = []
        for state in states:
            titles.append(state["proof"]["title"])
            if titles[-1] == "Save 9":
                break
    assert titles[-1] == "Save 9"


@pytest.mark.parametrize("kind", ["text", "html", "mjml", "headers", "request"])
def test_sources_are_escaped(served: PreviewClient, kind: str) -> None:
    data = served.data(f"source/{kind}?reader=html")
    assert data["raw"]
    assert data["html"].count('<span class="line">') == data["html"].count("\n") + 1
    assert "<script" not in data["html"].lower()


def test_request_source_shows_the_api_request_without_the_key(
    served: PreviewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.secret-secret-secret")
    raw = served.data("source/request")["raw"]
    assert '"personalizations"' in raw
    assert "reader@example.com" in raw
    assert "SG.secret" not in raw


def test_archive_page_has_its_style_inlined_and_is_sandboxed(served: PreviewClient) -> None:
    response = served.get("web?scheme=dark")
    page = response.data.decode()
    assert response.status == 200, page
    assert "The first boat</h1>" in page
    assert "<style>" in page
    assert "stylesheet" not in page
    assert "prefers-color-scheme" not in page
    assert "sandbox allow-same-origin" in response.headers["content-security-policy"]


def test_unknown_source_is_not_found(served: PreviewClient) -> None:
    assert served.get("source/other").status == 404


def test_inbox_snippet_starts_with_the_preheader(served: PreviewClient) -> None:
    data = served.data("inbox")
    assert data["subject"] == "The first boat"
    assert data["snippet"].startswith("It came on Tuesday.")


@pytest.mark.parametrize("key", EDGE_CASES)
def test_edge_case_values_are_escaped(served: PreviewClient, key: str) -> None:
    page = served.get(f"mail?reader={key}").data.decode()
    assert "-nl0" not in page
    assert "<script" not in page
    assert "<b onmouseover" not in page


def test_eml_download_is_a_valid_message(served: PreviewClient) -> None:
    response = served.get("eml")
    assert "first-boat.eml" in response.headers["content-disposition"]
    message = email.message_from_bytes(response.data, policy=email.policy.default)
    assert message["subject"] == "The first boat"
    assert message["list-id"]


def test_only_images_of_an_issue_are_served(served: PreviewClient, boat_issue: Path) -> None:
    (boat_issue / "boat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    image = served.get(f"file/{boat_issue.name}/boat.png")
    assert image.status == 200
    assert "sandbox" in image.headers["content-security-policy"]
    start = '<svg xmlns="http://www.w3.org/2000/svg">'
    (boat_issue / "plain.svg").write_text(f"{start}<rect/></svg>")
    (boat_issue / "evil.svg").write_text(f"{start}<script>alert(1)</script></svg>")
    assert served.get(f"file/{boat_issue.name}/plain.svg").status == 200
    Image.new("RGB", (160, 90)).save(boat_issue / "film.webp")
    drawn = served.get(f"file/{boat_issue.name}/film.webp.play.jpg")
    assert (drawn.status, drawn.headers["content-type"]) == (200, "image/jpeg")
    (boat_issue / "secret.png").symlink_to(served.workspace.project.root / "newsletter.yml")
    (boat_issue / "loop.png").symlink_to("loop.png")
    os.mkfifo(boat_issue / "fifo.png")
    for path in (
        f"{boat_issue.name}/post.md",
        f"{boat_issue.name}/%2e%2e/%2e%2e/newsletter.yml",
        f"{boat_issue.name}/secret.png",
        f"{boat_issue.name}/evil.svg",
        f"{boat_issue.name}/boat.png.play.png",
        f"{boat_issue.name}/post.md.play.png",
        f"{boat_issue.name}/secret.png.play.png",
        f"{boat_issue.name}/loop.png",
        f"{boat_issue.name}/loop.png/a.png",
        f"{boat_issue.name}/fifo.png",
        f"{boat_issue.name}/boat%00.png",
        f"{boat_issue.name}/{'a' * 5_000}.png",
        "%2e%2e/newsletter.yml",
        "nowhere/boat.png",
    ):
        assert served.get(f"file/{path}").status == 404, path


def test_stripped_features_are_listed_with_their_source(served: PreviewClient) -> None:
    data = served.data("stripped?client=outlook")
    assert data["client"] == "Outlook for Windows"
    assert any(feature["name"] == "border-radius" for feature in data["stripped"])
    assert all(feature["url"].startswith(data["source"]) for feature in data["stripped"])
    assert served.data("stripped?client=unknown") == {"client": ""}


@pytest.mark.parametrize("broken", ["---\ntitle: [Boat\n---\nWords.\n", "", None])
def test_views_show_the_last_good_version_of_a_broken_post(
    served: PreviewClient, boat_issue: Path, broken: str | None
) -> None:
    post = boat_issue / "post.md"
    paths = ["mail", "web", "stripped?client=outlook", "findings", "inbox", "eml"]
    paths += [f"source/{kind}" for kind in ("text", "html", "mjml", "headers", "request")]
    with served.stream() as states:
        assert not next(states)["faults"]
        if broken is None:
            post.unlink()
        else:
            post.write_text(broken)
        while not next(states)["faults"]:
            pass
    assert {path: served.get(path).status for path in paths} == dict.fromkeys(paths, 200)


def test_preview_creates_no_database(served: PreviewClient) -> None:
    data = served.data("issues")
    served.data("readers")
    assert [issue["state"] for issue in data["issues"]] == ["ready"]
    assert not list(served.workspace.project.root.glob("*.db"))


def test_subscribers_are_masked_unless_real_names_are_requested(
    served: PreviewClient, cli: Cli, tmp_path: Path
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


def test_masked_recipient_keeps_no_personal_data() -> None:
    recipient = Recipient(7, "ada@example.com", "ada@example.com", "secret", {"city": "Bergen 5"})
    assert anonymize_recipient(recipient) == Recipient(
        7,
        "reader-7@example.com",
        "reader-7@example.com",
        "sample",
        {"city": "Xxxxxx 0", "email": "reader-7@example.com"},
    )


def test_issues_are_listed_with_their_state(
    served: PreviewClient, cli: Cli, tmp_path: Path, boat_issue: Path
) -> None:
    for name, post in {
        "2026-11-01-draft": "---\ntitle: A draft\ndraft: true\n---\nWords.\n",
        "2026-11-02-broken": "---\ntitle: [\n---\nWords.\n",
    }.items():
        folder = boat_issue.with_name(name)
        folder.mkdir()
        (folder / "post.md").write_text(post)
    settings = served.workspace.project.root / "newsletter.yml"
    text = settings.read_text().replace("harbournotes.example", "harbour-notes.org")
    settings.write_text(f"{text}public_url: https://news.harbour-notes.org\n")
    (tmp_path / "readers.csv").write_text("email\nada@example.com\n")
    assert cli("subscribers", "import", tmp_path / "readers.csv")[0] == 0
    code, _, err = cli("plan", "first-boat")
    assert code == 0, err
    states = {issue["title"]: issue["state"] for issue in served.data("issues")["issues"]}
    assert states == {"The first boat": "planned", "broken": "broken", "A draft": "draft"}


def test_comparing_the_first_issue_reports_a_problem(served: PreviewClient) -> None:
    assert "first issue" in served.data("compare/issue")["problem"]


def test_last_issue_is_compared_without_its_article(
    served: PreviewClient, boat_issue: Path
) -> None:
    folder = boat_issue.with_name("2026-11-01-autumn")
    folder.mkdir()
    (folder / "post.md").write_text(
        "---\ntitle: Autumn\nsender_name: Ada\ntemplate: plain\n---\n"
        "Words of autumn, and [a link](https://autumn.example/).\n"
    )
    data = served.data("compare/issue")
    assert data["against"] == folder.name
    facts = {name: (old.partition(" <")[0], new) for name, old, new in data["facts"]}
    assert facts["Sender"][0] == "Ada"
    assert facts["Template"] == ("plain", "issue")
    text = str(data["passages"]) + str(data["added"]) + str(data["removed"])
    assert "Unsubscribe" in text
    for word in ("autumn", "harbour.example", "the ice"):
        assert word not in text


def test_issue_is_compared_with_its_plan(
    served: PreviewClient, boat_issue: Path, cli: Cli, tmp_path: Path
) -> None:
    assert "neither planned nor sent" in served.data("compare/plan")["problem"]
    settings = served.workspace.project.root / "newsletter.yml"
    text = settings.read_text().replace("harbournotes.example", "harbour-notes.org")
    settings.write_text(f"{text}public_url: https://news.harbour-notes.org\n")
    (tmp_path / "readers.csv").write_text("email\nada@example.com\n")
    assert cli("subscribers", "import", tmp_path / "readers.csv")[0] == 0
    assert cli("plan", "first-boat")[0] == 0
    post = boat_issue / "post.md"
    post.write_text(post.read_text().replace("the ice", "the snow"))
    served.workspace.invalidate([settings, post])
    served.data("issues")
    data = served.data("compare/plan")
    assert data["against"] == "the plan"
    kinds = {span["text"].strip(): span["kind"] for passage in data["passages"] for span in passage}
    assert (kinds["ice"], kinds["snow"]) == ("removed", "added")


def test_issue_is_compared_with_its_last_test(
    served: PreviewClient, boat_issue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "newsletter test first-boat" in served.data("compare/test")["problem"]
    data = {"issue": boat_issue.name, "to": "me@example.com, you@example.com; ME@EXAMPLE.COM"}
    with FakeSendGrid() as sendgrid:
        monkeypatch.setenv("SENDGRID_API_KEY", sendgrid.key)
        settings = served.workspace.project.root / "newsletter.yml"
        settings.write_text(f"{settings.read_text()}sendgrid:\n  host: {sendgrid.url}\n")
        served.workspace.invalidate([settings])
        response = served.post("test", data, origin=served.origin)
        many = {**data, "to": ",".join(f"me{n}@example.com" for n in range(11))}
        refused = served.post("test", many, origin=served.origin)
    assert len(response.json()["to"]) == 2, response.data
    assert (refused.status, refused.json()["faults"][0]["message"]) == (
        422, "a test goes to at most 10 addresses"
    )  # fmt: skip
    post = boat_issue / "post.md"
    post.write_text(post.read_text().replace("the ice", "the snow"))
    served.workspace.invalidate([post])
    difference = served.data("compare/test")
    assert difference["against"] == "the last test"
    kinds = {s["text"].strip(): s["kind"] for passage in difference["passages"] for s in passage}
    assert (kinds["ice"], kinds["snow"]) == ("removed", "added")


def test_an_issue_is_shown_in_another_design(served: PreviewClient) -> None:
    with served.stream() as states:
        facts = next(states)["proof"]
    assert (facts["design"], facts["designs"]) == ("issue", ["issue", "magazine", "plain"])
    mails = {design: served.get(f"mail?design={design}").data for design in ("", *facts["designs"])}
    assert len({*mails.values()}) == 3
    assert mails[""] == mails["issue"] == served.get("mail?design=confirm").data


def test_facts_about_the_email(served: PreviewClient, boat_issue: Path) -> None:
    (boat_issue / "post.md").write_text(
        "---\ntitle: Boat\n---\nOne two [three](https://harbour.example/).\n\n![A boat](boat.png)\n"
    )
    (boat_issue / "boat.png").write_bytes(PNG)
    served.workspace.invalidate([boat_issue / "post.md"])
    with served.stream() as states:
        facts = next(states)["proof"]
    assert (facts["words"], facts["minutes"]) == (3, 1)
    assert facts["links"] > 1
    assert (facts["images"] >= 1, facts["image_bytes"]) == (True, len(PNG))


def test_issue_is_compared_with_its_last_commit(served: PreviewClient, boat_issue: Path) -> None:
    def git(*args: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *args], check=True
        )

    assert "problem" in served.data("compare/commit")
    # A symbolic link inside the newsletter is followed, one that points out of it is dropped.
    templates = served.workspace.project.templates_dir
    (templates / "issue.mjml").rename(templates / "partials" / "of-an-issue.mjml")
    (templates / "issue.mjml").symlink_to("partials/of-an-issue.mjml")
    (templates / "outside.css").symlink_to("/etc/hostname")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "First")
    post = boat_issue / "post.md"
    with served.stream() as states:
        next(states)
        post.write_text(post.read_text().replace("the ice", "the snow"))
        next(states)
    data = served.data("compare/commit")
    kinds = {span["text"].strip(): span["kind"] for passage in data["passages"] for span in passage}
    assert kinds["ice"] == "removed"
    assert kinds["snow"] == "added"


def test_test_email_is_sent_through_sendgrid(
    served: PreviewClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"issue": "2026-11-24-first-boat", "to": "me@example.com"}
    refused = served.post("test", data, origin=served.origin)
    assert refused.status == 422
    assert "SENDGRID_API_KEY" in refused.data.decode()
    with FakeSendGrid() as sendgrid:
        monkeypatch.setenv("SENDGRID_API_KEY", sendgrid.key)
        settings = served.workspace.project.root / "newsletter.yml"
        with served.stream() as states:
            next(states)
            settings.write_text(f"{settings.read_text()}sendgrid:\n  host: {sendgrid.url}\n")
            next(states)
        response = served.post("test", data, origin=served.origin)
        assert response.status == 200, response.data
        assert response.json()["subject"] == "[TEST] The first boat"


@pytest.mark.parametrize("body", [[], "text", {"issue": 1}, {"to": "x" * 3000, "issue": ""}])
def test_malformed_test_email_requests_are_refused(served: PreviewClient, body: object) -> None:
    assert served.post("test", body, origin=served.origin).status in {400, 413}


def test_page_loads_its_files_from_the_package_only(served: PreviewClient) -> None:
    page = served.get().data.decode()
    assert 'src="http' not in page
    parts = re.findall(r'(?:src|href)="(static/[^"]+)"', page)
    assert len(parts) > 5
    for part in parts:
        assert served.get(part).status == 200, part
