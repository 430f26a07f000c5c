"""A newsletter without a server: no email contains an address that leads nowhere."""

import base64
import datetime
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from designs import DESIGNS
from PIL import Image
from static_host import StaticHost

from newsletter.config.urls import FALLBACK_PUBLIC_URL
from newsletter.db import database_engine
from newsletter.db.schema import send
from newsletter.posts.play_sign import draw_play_sign
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry

Cli = Callable[..., tuple[int, str, str]]

ISSUE = "2026-12-01-the-ice"
WITH_IMAGES = """\
---
title: The ice
hero: {src: boat.png, alt: A boat}
---
Hello {{ subscriber.name | default("friend") }}, the ice let go; see ships.example.

![The quay](img/the%20quay.png)
"""
HOST = FALLBACK_PUBLIC_URL.removeprefix("https://")


@pytest.fixture
def without_server(newsletter: Cli, project_folder: Path) -> Cli:
    """The command line in a project with SendGrid's unsubscribe group and no public_url."""
    settings = project_folder / "newsletter.yml"
    text = settings.read_text().replace("public_url: https://news.harbour-notes.org\n", "")
    settings.write_text(text.replace("sendgrid:\n", "sendgrid:\n  asm_group: 77\n"))
    return newsletter


@pytest.fixture
def with_images(without_server: Cli, project_folder: Path, picture: bytes) -> Cli:
    """The same, with an issue that has two images beside its post."""
    folder = project_folder / "issues" / ISSUE
    (folder / "img").mkdir()
    (folder / "boat.png").write_bytes(picture)
    (folder / "img" / "the quay.png").write_bytes(picture)
    (folder / "post.md").write_text(WITH_IMAGES)
    return without_server


def use_host(project_folder: Path, url: str) -> None:
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(f"image_url: {url}/issues/{{slug}}/{{file}}\n")
        settings.write(f"issue_url: {url}/issues/{{slug}}/\n")


def joined(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("template", DESIGNS)
def test_issue_without_images_is_sent_without_view_online(
    without_server: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path, template: str
) -> None:
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(f"theme: {{template: {template}}}\n")
    assert without_server("send", "--yes")[0] == 0
    bodies = b"".join(request.body for request in fake_sendgrid.requests)
    assert HOST.encode() not in bodies
    assert b"View online" not in bodies
    assert b'href=\\"\\"' not in bodies


@pytest.mark.parametrize("command", [("send", "--yes"), ("plan",)])
def test_local_images_are_refused_with_three_remedies(
    with_images: Cli, fake_sendgrid: FakeSendGrid, command: tuple[str, ...]
) -> None:
    code, _, err = with_images(*command)
    assert code == 1
    assert fake_sendgrid.requests == []
    assert err.count("no public address") == 1
    for part in ("boat.png", "the quay.png", "newsletter serve", "image_url", "https address"):
        assert part in joined(err)


def test_dry_run_lists_the_problem(with_images: Cli) -> None:
    code, out, _ = with_images("send", "--dry-run", "--json")
    assert code == 0
    assert [problem for problem in json.loads(out)["refused"] if "no public address" in problem]


def test_allowing_the_finding_does_not_allow_the_send(
    with_images: Cli, project_folder: Path
) -> None:
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text(
        post.read_text().replace("---\ntitle", "---\nallow: {unreachable-image: fine}\ntitle")
    )
    code, _, err = with_images("send", "--yes")
    assert code == 1
    assert "no public address" in err


def test_check_doctor_and_build_report_it(with_images: Cli) -> None:
    code, out, _ = with_images("check", "-v")
    assert code == 1
    assert joined(out).count("has no public address") == 2
    _, out, _ = with_images("doctor")
    assert "images: neither image_url nor public_url is set" in joined(out)
    assert "boat.png has no public address" in joined(with_images("build")[1])


@pytest.mark.parametrize("personalize", ["substitutions", "per_request"])
def test_test_email_has_the_images_inside(
    with_images: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    picture: bytes,
    personalize: str,
) -> None:
    settings = project_folder / "newsletter.yml"
    text = settings.read_text()
    settings.write_text(text.replace("sendgrid:\n", f"sendgrid:\n  personalize: {personalize}\n"))
    code, out, _ = with_images("test", "--to", "me@example.com")
    assert code == 0
    assert "2 images without a public address were sent inside the email." in out
    (request,) = fake_sendgrid.requests
    body = json.loads(request.body)
    document = body["content"][1]["value"]
    assert HOST not in request.body.decode()
    assert {file["filename"] for file in body["attachments"]} == {"boat.png", "the quay.png"}
    for file in body["attachments"]:
        assert (file["disposition"], file["type"]) == ("inline", "image/png")
        assert base64.b64decode(file["content"]) == picture
        assert f'src="cid:{file["content_id"]}"' in document


def test_test_email_has_the_still_with_its_play_sign_inside(
    without_server: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    folder = project_folder / "issues" / ISSUE
    Image.new("RGB", (160, 90)).save(folder / "tide.png")
    post = '---\ntitle: Film\n---\nSee:\n\n<video src="/v.mp4" poster="tide.png"></video>\n'
    (folder / "post.md").write_text(post)
    code, _, err = without_server("test", "--to", "me@example.com")
    assert code == 0, err
    (file,) = json.loads(fake_sendgrid.requests[0].body)["attachments"]
    assert base64.b64decode(file["content"]) == draw_play_sign((folder / "tide.png").read_bytes())


def test_test_email_without_a_page_to_unsubscribe_says_so(
    with_images: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    settings = project_folder / "newsletter.yml"
    settings.write_text(settings.read_text().replace("  asm_group: 77\n", ""))
    code, _, err = with_images("test", "--to", "me@example.com")
    assert code == 0
    assert "links lead to https://harbour-notes.org: set public_url" in joined(err)
    body = fake_sendgrid.requests[0].body.decode()
    assert HOST not in body
    assert "List-Unsubscribe" not in body
    assert fake_sendgrid.unfilled_tokens == set()


def test_images_with_an_address_are_not_sent_inside(
    with_images: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    use_host(project_folder, "https://harbour-notes.org/letters")
    code, out, _ = with_images("test", "--to", "me@example.com", "--json")
    assert code == 0
    assert json.loads(out)["inline_images"] == []
    assert "attachments" not in json.loads(fake_sendgrid.requests[0].body)


def test_send_checks_that_the_images_are_published(
    with_images: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path, static_host: StaticHost
) -> None:
    use_host(project_folder, static_host.url)
    with (project_folder / "newsletter.yml").open("a") as settings:
        settings.write(f"publish:\n  command: cp -R {{folder}}/. '{static_host.folder}'\n")
    code, _, err = with_images("send", "--yes")
    assert code == 1
    assert "readers could not see 2 of 2 images" in err
    assert "(404 File not found)" not in err
    assert "404 Not Found" in err
    assert "newsletter archive --issue the-ice --publish" in err
    assert fake_sendgrid.requests == []

    assert with_images("archive", "--issue", "the-ice", "--publish")[0] == 0
    code, out, err = with_images("send", "--yes")
    assert code == 0, err
    assert "Sent to 25 of 25 readers." in out
    document = json.loads(fake_sendgrid.requests[0].body)["content"][1]["value"]
    assert f'src="{static_host.url}/issues/the-ice/img/the%20quay.png"' in document
    assert f'href="{static_host.url}/issues/the-ice/"' in document


def test_page_in_place_of_an_image_is_refused(
    with_images: Cli, project_folder: Path, static_host: StaticHost, picture: bytes
) -> None:
    use_host(project_folder, static_host.url)
    target = static_host.folder / "issues" / "the-ice"
    (target / "img" / "the quay.png").mkdir(parents=True)  # a listing of the folder, as HTML
    (target / "boat.png").write_bytes(picture)
    (target / "boat.dark.png").mkdir()
    (project_folder / "issues" / ISSUE / "boat.dark.png").write_bytes(picture)
    code, _, err = with_images("send", "--yes")
    assert code == 1
    assert "readers could not see 2 of 3 images" in err
    assert "it is text/html, not an image" in err


def test_unreachable_host_is_refused_with_a_way_out(
    with_images: Cli, fake_sendgrid: FakeSendGrid, project_folder: Path
) -> None:
    use_host(project_folder, "http://127.0.0.1:1")
    code, _, err = with_images("send", "--yes")
    assert code == 1
    assert "connection refused" in err
    assert "--no-image-check" in err
    assert fake_sendgrid.requests == []
    assert with_images("send", "--yes", "--no-image-check")[0] == 0


def test_plan_is_checked_when_it_is_sent_and_dry_run_requests_nothing(
    with_images: Cli, project_folder: Path
) -> None:
    use_host(project_folder, "http://127.0.0.1:1")
    assert with_images("send", "--dry-run")[0] == 0
    assert with_images("plan")[0] == 0
    assert "connection refused" in with_images("send", "--yes")[2]


FROZEN_SENDS = {
    "reschedule": (("send", "--at", "2099-12-01 09:00", "--local"), ("reschedule", "ice", "--now")),
    "due": (("plan",), ("send", "--due")),
    "catch-up": (("send",), ("send", "ice", "--catch-up")),
    "retry": (("send", "--concurrency", "1"), ("retry", "ice")),
}


@pytest.mark.parametrize("way", FROZEN_SENDS)
@pytest.mark.parametrize("lost", ["public_url", "sendgrid.asm_group"])
def test_frozen_links_to_unsubscribe_need_the_setting_of_that_time(
    newsletter: Cli,
    fake_sendgrid: FakeSendGrid,
    project_folder: Path,
    lost: str,
    way: str,
) -> None:
    settings = project_folder / "newsletter.yml"
    with_pages = settings.read_text()
    without_pages = with_pages.replace("public_url: https://news.harbour-notes.org\n", "").replace(
        "sendgrid:\n", "sendgrid:\n  asm_group: 77\n"
    )
    before, after = with_pages, without_pages
    if lost == "sendgrid.asm_group":
        before, after = after, before
    settings.write_text(before)
    first, second = FROZEN_SENDS[way]
    if way == "retry":
        errors = (ApiErrorEntry("Unsubscribed.", "personalizations.0.to.0.email"),)
        fake_sendgrid.inject_faults(InjectedFault(status=400, errors=errors))
    assert newsletter(*first, *(["--yes"] if first[0] == "send" else []))[0] == 0
    if way == "due":
        with (
            database_engine("sqlite:///newsletter.db", project_folder) as engine,
            engine.begin() as connection,
        ):
            now = datetime.datetime.now(datetime.UTC)
            connection.execute(sa.update(send).values(scheduled_at=now))
    assert newsletter("subscribers", "add", "late@example.com", "--consent", "form")[0] == 0
    settings.write_text(after)
    sent = len(fake_sendgrid.accepted)
    code, _, err = newsletter(*second, "--yes")
    assert code == 1
    assert f"{lost.rpartition('.')[2]} as it was when the email was planned" in joined(err)
    assert len(fake_sendgrid.accepted) == sent
    settings.write_text(before)
    # A retry has put the refused readers into a batch that is still to go.
    assert newsletter(*(("resume", "ice") if way == "retry" else (*second, "--yes")))[0] == 0
    assert len(fake_sendgrid.accepted) > sent


def test_article_may_be_about_sendgrids_tags(newsletter: Cli, project_folder: Path) -> None:
    post = project_folder / "issues" / ISSUE / "post.md"
    post.write_text("---\ntitle: Tags\n---\nWrite `<%asm_group_unsubscribe_raw_url%>` in it.\n")
    assert newsletter("plan")[0] == 0
