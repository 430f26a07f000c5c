"""``newsletter archive --issue``: an issue's images and page, before it is sent."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., tuple[int, str, str]]

POST = """\
---
title: {title}
{front}
---
Hello {{{{ subscriber.name | default("friend") }}}}, the ice let go.

![A boat](img/a%20boat.png)
"""
NAME = "2026-12-02-boats"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
HOST = "https://harbour-notes.org/letters"


@pytest.fixture
def issue(newsletter: Cli, project_folder: Path) -> Path:  # noqa: ARG001 - a project
    folder = project_folder / "issues" / NAME
    (folder / "img").mkdir(parents=True)
    (folder / "img" / "a boat.png").write_bytes(PIXEL)
    write_post(folder)
    return folder


def write_post(folder: Path, front: str = "", title: str = "Of boats") -> None:
    (folder / "post.md").write_text(POST.format(title=title, front=front))


def configure(project_folder: Path, **settings: str) -> None:
    with (project_folder / "newsletter.yml").open("a") as file:
        file.writelines(f"{name}: {value}\n" for name, value in settings.items())


def list_files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("issue")
def test_images_and_unlisted_page_are_written_before_the_send(
    newsletter: Cli, project_folder: Path
) -> None:
    configure(project_folder, image_url=f"{HOST}/issues/{{slug}}/{{file}}")
    code, out, err = newsletter("archive", "--issue", "boats")
    assert (code, "1 image, 3 files, 3 of them new" in out) == (0, True), err
    folder = project_folder / "build" / "archive"
    assert list_files(folder) == [
        "assets/style.css",
        "issues/boats/img/a boat.png",
        "issues/boats/index.html",
    ]
    assert (folder / "issues/boats/img/a boat.png").read_bytes() == PIXEL
    page = (folder / "issues/boats/index.html").read_text()
    assert '<meta name="robots" content="noindex">' in page
    assert "Hello friend" in page
    assert 'src="/letters/issues/boats/img/a%20boat.png"' in page
    assert 'datetime="2026-12-02"' in page


@pytest.mark.usefixtures("issue")
def test_second_export_writes_nothing(newsletter: Cli, tmp_path: Path) -> None:
    command = ("archive", "--issue", NAME, "--out", tmp_path / "a", "--json")
    first, second = (json.loads(newsletter(*command)[1]) for _ in range(2))
    assert (first["files"], len(first["changed"])) == (3, 3)
    assert (second["files"], second["changed"]) == (3, [])
    assert second["page_url"] == "https://news.harbour-notes.org/issues/boats"


@pytest.mark.usefixtures("issue")
def test_no_index_or_feed_has_it_until_it_is_sent(newsletter: Cli, tmp_path: Path) -> None:
    out = tmp_path / "public"
    newsletter("archive", "--issue", "boats", "--out", out)
    newsletter("archive", "--out", out)
    for name in ("index.html", "feed.atom", "feed.json", "sitemap.xml"):
        assert "boats" not in (out / name).read_text(), name
    assert newsletter("send", "boats", "--yes", "--no-image-check")[0] == 0
    newsletter("archive", "--issue", "boats", "--out", out)
    assert "noindex" not in (out / "issues/boats/index.html").read_text()
    newsletter("archive", "--out", out)
    assert "boats" in (out / "index.html").read_text()


def test_private_issue_has_images_only(newsletter: Cli, issue: Path, tmp_path: Path) -> None:
    write_post(issue, "archive: private")
    data = json.loads(
        newsletter("archive", "--issue", "boats", "--out", tmp_path / "a", "--json")[1]
    )
    assert data["page_url"] == ""
    assert list_files(tmp_path / "a") == ["issues/boats/img/a boat.png"]


def test_draft_is_refused(newsletter: Cli, issue: Path, tmp_path: Path) -> None:
    write_post(issue, "draft: true")
    code, _, err = newsletter("archive", "--issue", "boats", "--out", tmp_path / "a")
    assert code == 1
    assert "draft" in err
    assert not (tmp_path / "a").exists()


PATTERNS = {
    f"{HOST}/issues/{{slug}}/{{file}}": (HOST, "issues/boats/img/a boat.png", True),
    f"{HOST}/{{slug}}/{{file}}": (HOST, "boats/img/a boat.png", False),
    "https://img.harbour-notes.org/{slug}/pictures/{file}": (
        "https://img.harbour-notes.org",
        "boats/pictures/img/a boat.png",
        False,
    ),
    f"{HOST}/nl-{{slug}}/{{file}}": (HOST, "nl-boats/img/a boat.png", False),
}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.usefixtures("issue")
def test_images_are_where_their_emails_expect_them(
    newsletter: Cli, project_folder: Path, pattern: str
) -> None:
    base, path, has_page = PATTERNS[pattern]
    configure(project_folder, image_url=pattern)
    code, out, err = newsletter("archive", "--issue", "boats", "--json")
    assert code == 0, err
    data = json.loads(out)
    assert data["base_url"] == base
    assert path in data["changed"]
    assert bool(data["page_url"]) is has_page


@pytest.mark.parametrize(
    ("pattern", "base_url"),
    [
        (f"{HOST}/issues/{{slug}}/{{file}}", "https://elsewhere.org"),
        (f"{HOST}/images?issue={{slug}}&file={{file}}", HOST),
        (f"{HOST}/../{{slug}}/{{file}}", HOST),
    ],
)
@pytest.mark.usefixtures("issue")
def test_address_that_no_file_can_have_is_refused(
    newsletter: Cli, project_folder: Path, pattern: str, base_url: str
) -> None:
    configure(project_folder, image_url=f'"{pattern}"')
    code, _, err = newsletter("archive", "--issue", "boats", "--base-url", base_url)
    assert code == 2
    assert f"Set image_url to {base_url}/issues/{{slug}}/{{file}}" in " ".join(err.split())


@pytest.mark.usefixtures("issue")
def test_host_placeholder_needs_a_base_url(newsletter: Cli, project_folder: Path) -> None:
    configure(project_folder, image_url="https://{slug}.harbour-notes.org/{file}")
    code, _, err = newsletter("archive", "--issue", "boats")
    assert code == 2
    assert "--base-url" in err


@pytest.mark.usefixtures("issue")
def test_missing_addresses_are_named(newsletter: Cli, project_folder: Path) -> None:
    settings = project_folder / "newsletter.yml"
    settings.write_text(
        settings.read_text().replace("public_url: https://news.harbour-notes.org\n", "")
    )
    code, _, err = newsletter("archive", "--issue", "boats", "--base-url", HOST)
    assert code == 0
    assert f"set image_url to {HOST}/issues/{{slug}}/{{file}}" in err
    assert f"set issue_url to {HOST}/issues/{{slug}}/" in err
