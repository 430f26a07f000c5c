"""One bad issue in the archive: all other pages, the feeds and the export stay whole."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from ready_to_send import Cli, PrepareOnce

from newsletter.db import database_engine
from newsletter.project import open_project
from newsletter.web.site_context import Site, open_site

POST = "---\ntitle: {title}\ndate: 2026-12-02\n---\nThe ice let go.\n\n![A boat](boat.png)\n"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)
BAD_NAME = "2026-12-02-bad"
EVIL_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
)
GOOD_SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9"/></svg>'


@pytest.fixture
def sent(newsletter: Cli, project_folder: Path, prepare_once: PrepareOnce) -> Cli:
    """Two issues have been sent: a good one, and one that is to go bad."""

    def send() -> None:
        for slug in ("bad", "good"):
            folder = project_folder / "issues" / f"2026-12-02-{slug}"
            folder.mkdir()
            (folder / "post.md").write_text(POST.format(title=f"Of {slug}"))
            (folder / "boat.png").write_bytes(PIXEL)
            code, _, err = newsletter("send", slug, "--yes", "--no-image-check", "--repeat-article")
            assert code == 0, err

    prepare_once("archive-with-a-bad-issue", send)
    return newsletter


@pytest.fixture
def site(sent: Cli, project_folder: Path) -> Iterator[Site]:  # noqa: ARG001 - sends first
    project = open_project(project_folder)
    with database_engine(project.config.database, project.root) as engine:
        yield open_site(project, engine)


def replace_post(text: str | bytes) -> Callable[[Path], object]:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return lambda folder: (folder / "post.md").write_bytes(data)


def delete(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def set_title(yaml: str) -> Callable[[Path], object]:
    return replace_post(POST.replace("{title}", yaml))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "U+FFFE": set_title('"Of \\uFFFE bad"'),
    "U+FFFF": set_title("Of \uffff bad"),
    "U+FDD0": set_title('"Of \\uFDD0 bad"'),
    "lone surrogate": set_title('"Of \\uD800 bad"'),
    "lone surrogate in the file": set_title("Of \ud800 bad"),
    "control characters": set_title('"Of \\x01\\x08\\x0B\\x1B bad"'),
    "NUL": set_title('"Of \\0 bad"'),
    "C1": set_title('"Of \\x85\\x9B bad"'),
    "entities": replace_post(POST.format(title="Of bad") + "&#xFFFE;&#1;&#xD800;&#x1F;\n"),
    "attribute": replace_post(POST.format(title="Of bad") + "[a](https://a.example 'x&#xFFFE;')\n"),
    "tag": replace_post('---\ntitle: Of bad\ntags: ["a\\uFFFE", "\\x02"]\n---\nWords.\n'),
    "author": replace_post('---\ntitle: Of bad\nauthor: "B\\uFFFFo"\n---\nWords.\n'),
    "preheader": replace_post('---\ntitle: Of bad\npreheader: "B\\x03o"\n---\nWords.\n'),
    "URL": replace_post(
        '---\ntitle: Of bad\ncanonical_url: "https://a.example/\\uFFFE"\n---\nWords.\n'
    ),
    "broken YAML": replace_post("---\ntitle: [\n---\nWords.\n"),
    "YAML of another kind": replace_post("---\n- a\n---\nWords.\n"),
    "endless front matter": replace_post("---\ntitle: Of bad\n"),
    "empty": replace_post(""),
    "not text": replace_post(b"\x89PNG\0\0"),
    "huge number": replace_post(f"---\ntitle: Of bad\nnumber: {'9' * 5_000}\n---\nWords.\n"),
    "deep": replace_post(POST.format(title="Of bad") + "<div>" * 5_000),
    "missing post": delete("post.md"),
    "missing picture": delete("boat.png"),
    "missing folder": shutil.rmtree,
    "deleted template": replace_post("---\ntitle: Of bad\ntemplate: gone\n---\nWords.\n"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_all_other_pages_stay_whole(
    sent: Cli, server: Any, project_folder: Path, tmp_path: Path, damage: str
) -> None:
    DAMAGES[damage](project_folder / "issues" / BAD_NAME)
    for path in ("/", "/?q=good", "/issues/good", "/feed.json"):
        response = server.get(path)
        assert (response.status, "Of good" in response.data.decode()) == (200, True), path
    for path in ("/feed.atom", "/sitemap.xml"):
        response = server.get(path)
        etree.fromstring(response.data)
        assert (response.status, b"/issues/good" in response.data) == (200, True), path
    json.loads(server.get("/feed.json").data)
    assert server.get("/issues/bad").status in {200, 404}
    out = tmp_path / "public"
    code, _, err = sent("archive", "--out", out)
    assert code == 0, err
    assert "Of good" in (out / "index.html").read_text()
    assert (out / "issues/good/index.html").is_file()
    etree.parse(out / "feed.atom")
    etree.parse(out / "sitemap.xml")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("U+FFFE", "left out: "),
        ("control characters", "left out: "),
        ("lone surrogate", "left out"),
        ("broken YAML", "left out: "),
        ("missing post", "left out: "),
        ("missing picture", "the image 'boat.png' is missing"),
        ("missing folder", "left out: "),
    ],
)
def test_bad_issue_is_logged_once_and_shown_by_doctor(
    newsletter: Cli,
    server: Any,
    project_folder: Path,
    caplog: pytest.LogCaptureFixture,
    *,
    damage: str,
    message: str,
) -> None:
    DAMAGES[damage](project_folder / "issues" / BAD_NAME)
    with caplog.at_level(logging.WARNING, "newsletter.web.archive"):
        for path in ("/", "/feed.atom", "/issues/bad", "/?q=a", "/"):
            server.get(path)
    lines = [line for line in caplog.messages if BAD_NAME in line]
    assert len(lines) == 1
    assert message in lines[0]
    checks = json.loads(newsletter("doctor", "--json")[1])["checks"]
    (check,) = [check for check in checks if check["about"] == "archive"]
    assert check["state"] == "warn"
    assert check["says"].startswith(f"{BAD_NAME}: ")
    assert message in check["says"]


def test_doctor_says_nothing_of_a_whole_archive(sent: Cli) -> None:
    checks = json.loads(sent("doctor", "--json")[1])["checks"]
    assert [check for check in checks if check["about"] == "archive"] == []


def test_svg_with_a_script_is_neither_served_nor_exported(
    sent: Cli, server: Any, project_folder: Path, tmp_path: Path
) -> None:
    folder = project_folder / "issues" / "2026-12-02-good"
    (folder / "evil.svg").write_text(EVIL_SVG)
    (folder / "evil.SVG").write_text(EVIL_SVG)
    (folder / "plain.svg").write_text(GOOD_SVG)
    (folder / "link.svg").symlink_to("boat.png")
    for name in ("evil.svg", "evil.SVG", "link.svg"):
        assert server.get(f"/issues/good/{name}").status == 404, name
    assert server.get("/issues/good/plain.svg").data.decode() == GOOD_SVG
    for command in (("archive",), ("archive", "--issue", "good")):
        out = tmp_path / "-".join(command)
        code, _, err = sent(*command, "--out", out)
        assert code == 0, err
        names = sorted(path.name for path in (out / "issues/good").iterdir())
        assert names == ["boat.png", "index.html", "plain.svg"]
        assert not [
            path
            for path in out.rglob("*")
            if path.is_file() and b"<script>alert" in path.read_bytes()
        ]
