"""The archive of really sent issues, served and exported as files."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from ready_to_send import Cli, PrepareOnce

from newsletter.db import database_engine
from newsletter.project import open_project
from newsletter.web.site_context import Site, open_site

POST = """\
---
title: {title}
date: 2026-12-02
{front}
---
Hello {{{{ subscriber.name | default("friend") }}}}, <script>alert(1)</script>the ice let go.

This is {title}.

![A boat](boat.png)

<video src="https://films.example/tide.mp4" poster="tide.png" title="One tide"></video>
"""
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.fixture
def sent(newsletter: Cli, project_folder: Path, prepare_once: PrepareOnce) -> Cli:
    """A listed, an unlisted and a private issue have been sent, and a fourth has not."""

    def send() -> None:
        for slug, front in {
            "boats": "",
            "quiet": "archive: unlisted",
            "secret": "archive: private",
            "later": "",
        }.items():
            folder = project_folder / "issues" / f"2026-12-02-{slug}"
            folder.mkdir()
            (folder / "post.md").write_text(POST.format(title=f"Of {slug}", front=front))
            (folder / "boat.png").write_bytes(PIXEL)
            for name in ("tide.png", "sail.png"):
                Image.new("RGB", (160, 90)).save(folder / name)
        for slug in ("boats", "quiet", "secret"):
            code, _, err = newsletter("send", slug, "--yes", "--no-image-check")
            assert code == 0, err

    prepare_once("archive", send)
    return newsletter


@pytest.fixture
def sending(sent: Cli) -> Cli:
    """The same, where the fourth can be sent too."""
    assert sent("db", "adopt", "--yes")[0] == 0
    return sent


class Clock:
    """A clock that only moves when a test moves it."""

    def __init__(self) -> None:
        self.now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)

    def __call__(self) -> datetime.datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(sent: Cli, project_folder: Path, clock: Clock) -> Iterator[Site]:  # noqa: ARG001 - sends first
    project = open_project(project_folder)
    with database_engine(project.config.database, project.root) as engine:
        yield open_site(project, engine, clock)


def test_only_sent_public_issues_have_a_page(server: Any) -> None:
    index = server.get("/").data.decode()
    assert "Of boats" in index
    assert not [slug for slug in ("quiet", "secret", "later") if f"Of {slug}" in index]
    statuses = {
        slug: server.get(f"/issues/{slug}").status for slug in ("boats", "quiet", "secret", "later")
    }
    assert statuses == {"boats": 200, "quiet": 200, "secret": 404, "later": 404}
    assert "noindex" in server.get("/issues/quiet").headers["X-Robots-Tag"]
    for path in ("/feed.atom", "/feed.json", "/sitemap.xml"):
        feed = server.get(path).data.decode()
        assert "boats" in feed
        assert not [slug for slug in ("quiet", "secret", "later") if slug in feed], path


def test_page_shows_defaults_and_is_sanitized(server: Any) -> None:
    page = server.get("/issues/boats").data.decode()
    assert "Hello friend, the ice let go." in page
    assert "alert(1)" not in page
    assert 'property="og:title" content="Of boats"' in page
    boat = "https://news.harbour-notes.org/issues/boats/boat.png"
    assert f'property="og:image" content="{boat}"' in page
    assert '<link rel="canonical" href="https://news.harbour-notes.org/issues/boats">' in page
    image = server.get("/issues/boats/boat.png")
    assert (image.status, image.headers["Content-Type"]) == (200, "image/png")
    assert image.data == PIXEL
    assert server.get("/issues/boats/post.md").status == 404


def test_usual_addresses_of_feeds_lead_to_the_feed(server: Any) -> None:
    for path in ("/feed", "/feed/", "/rss/", "/feed.xml", "/rss.xml", "/feed?next=//b.example"):
        response = server.get(path, Host="elsewhere.example")
        assert (response.status, response.headers["Location"]) == (301, "/feed.atom"), path
    page = server.get("/issues/boats").data.decode()
    assert 'rel="alternate" type="application/atom+xml"' in page


def test_matching_etag_gets_304(server: Any) -> None:
    for path in ("/", "/issues/boats", "/issues/boats/boat.png", "/feed.atom", "/feed.json"):
        tag = server.get(path).headers["ETag"]
        again = server.get(path, **{"If-None-Match": tag})
        assert (again.status, again.data) == (304, b""), path
        assert server.get(path, **{"If-None-Match": '"another"'}).status == 200


@pytest.mark.parametrize(
    ("method", "wanted", "status", "content_range"),
    [
        ("GET", "bytes=0-3", 206, f"bytes 0-3/{len(PIXEL)}"),
        ("GET", "bytes=-2", 206, f"bytes {len(PIXEL) - 2}-{len(PIXEL) - 1}/{len(PIXEL)}"),
        ("GET", "Bytes=0-3", 206, f"bytes 0-3/{len(PIXEL)}"),
        ("GET", f"bytes={len(PIXEL)}-", 416, f"bytes */{len(PIXEL)}"),
        ("GET", "lines=0-3", 200, None),
        ("GET", "0-3", 200, None),
        ("HEAD", "bytes=0-3", 200, None),
    ],
)
def test_range_of_a_picture(
    server: Any, method: str, wanted: str, status: int, content_range: str | None
) -> None:
    response = server.request(method, "/issues/boats/boat.png", Range=wanted)
    assert (response.status, response.headers.get("Content-Range")) == (status, content_range)
    if status == 200:
        assert response.headers["Content-Length"] == str(len(PIXEL))
    if status == 206:
        assert response.data in PIXEL


def test_range_of_a_changed_picture_is_the_whole_of_it(server: Any) -> None:
    path = "/issues/boats/boat.png"
    tag = server.get(path).headers["ETag"]
    assert server.get(path, Range="bytes=0-3", **{"If-Range": tag}).data == PIXEL[:4]
    assert server.get(path, Range="bytes=0-3", **{"If-Range": '"old"'}).data == PIXEL
    assert server.get(path, Range="bytes=0-3", **{"If-None-Match": tag}).status == 304


def test_edits_are_served_after_a_second(server: Any, clock: Clock, project_folder: Path) -> None:
    assert "Of boats" in server.get("/issues/boats").data.decode()
    post = project_folder / "issues" / "2026-12-02-boats" / "post.md"
    post.write_text(post.read_text().replace("Of boats", "Of all the boats"))
    assert "Of boats" in server.get("/issues/boats").data.decode()
    clock.now += datetime.timedelta(seconds=1)
    for path in ("/issues/boats", "/", "/feed.atom"):
        assert "Of all the boats" in server.get(path).data.decode(), path
    post.write_text(post.read_text().replace("---\ntitle", "---\narchive: private\ntitle"))
    clock.now += datetime.timedelta(seconds=1)
    assert server.get("/issues/boats").status == 404
    assert "boats" not in server.get("/").data.decode()


def test_new_send_is_served_at_once(server: Any, sending: Cli) -> None:
    assert server.get("/issues/later").status == 404
    assert server.get("/issues/later/boat.png").status == 404
    assert sending("send", "later", "--yes", "--no-image-check")[0] == 0
    assert server.get("/issues/later/boat.png").data == PIXEL
    assert "Of later" in server.get("/issues/later").data.decode()


def test_images_are_served_once_a_send_checks_them(
    server: Any, sending: Cli, project_folder: Path
) -> None:
    settings = project_folder / "newsletter.yml"
    settings.write_text(settings.read_text().replace("https://news.harbour-notes.org", server.url))
    assert server.get("/issues/later/boat.png").status == 404
    code, _, err = sending("send", "later", "--yes")
    assert code == 0, err
    assert server.get("/issues/later/boat.png").status == 200


def test_still_is_served_with_its_play_sign(server: Any) -> None:
    drawn = server.get("/issues/boats/tide.png.play.png")
    assert (drawn.status, drawn.headers["Content-Type"]) == (200, "image/png")
    assert drawn.data != server.get("/issues/boats/tide.png").data
    tag = drawn.headers["ETag"]
    assert server.get("/issues/boats/tide.png.play.png", **{"If-None-Match": tag}).status == 304
    # Another format, no image, a picture that isn't in the folder.
    for name in ("post.md.play.png", "tide.png.play.jpg", "..%2ftide.png.play.png", "play.png"):
        assert server.get(f"/issues/boats/{name}").status == 404


def test_no_sign_is_drawn_on_a_picture_that_is_no_still(server: Any, sending: Cli) -> None:
    assert sending("plan", "later")[0] == 0
    for slug in ("boats", "quiet", "secret", "later"):  # also those that have no page
        assert server.get(f"/issues/{slug}/tide.png.play.png").status == 200, slug
        assert server.get(f"/issues/{slug}/sail.png").status == 200
        assert server.get(f"/issues/{slug}/sail.png.play.png").status == 404, slug


def test_search_matches_titles_and_escapes_the_query(server: Any) -> None:
    assert "Of boats" in server.get("/?q=BOATS").data.decode()
    no_results = server.get("/?q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert no_results.status == 200
    assert "<script" not in no_results.data.decode()
    assert "Of boats" not in no_results.data.decode()


def test_exported_files_equal_the_served_pages(sent: Cli, server: Any, tmp_path: Path) -> None:
    out = tmp_path / "public"
    code, output, err = sent("archive", "--out", out)
    assert code == 0, err
    assert "2 issues" in output
    assert 'src="/issues/boats/tide.png.play.png"' in server.get("/issues/boats").data.decode()
    for path, file in {
        "/": "index.html",
        "/issues/boats": "issues/boats/index.html",
        "/issues/boats/boat.png": "issues/boats/boat.png",
        "/issues/boats/tide.png.play.png": "issues/boats/tide.png.play.png",
        "/feed.atom": "feed.atom",
        "/sitemap.xml": "sitemap.xml",
        "/assets/style.css": "assets/style.css",
    }.items():
        assert (out / file).read_bytes() == server.get(path).data, path
    assert not (out / "issues/secret").exists()


def test_second_export_rewrites_only_changed_files_and_deletes_none(
    sent: Cli, tmp_path: Path
) -> None:
    out = tmp_path / "public"
    sent("archive", "--out", out)
    (out / "robots.txt").write_text("mine until the next run")
    (out / "CNAME").write_text("harbour-notes.org")
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.html")}
    summary = json.loads(sent("archive", "--out", out, "--json")[1])
    assert summary["changed"] == ["robots.txt"]
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.html")} == times
    assert (out / "CNAME").read_text() == "harbour-notes.org"


def test_exported_links_use_the_base_url(sent: Cli, tmp_path: Path) -> None:
    sent("archive", "--out", tmp_path / "a", "--base-url", "https://example.org/letters")
    page = (tmp_path / "a/issues/boats/index.html").read_text()
    assert 'href="https://example.org/letters/issues/boats"' in page
    assert 'href="/letters/assets/style.css' in page
    # No server there takes a form: the button leads to the one that does.
    assert "<form" not in page
    assert 'class="button" href="https://news.harbour-notes.org/subscribe"' in page
    code, _, err = sent("archive", "--out", tmp_path / "b", "--base-url", "letters")
    assert code == 2
    assert "--base-url" in err


def test_export_without_a_public_url_is_refused(cli: Cli, project_folder: Path) -> None:
    code, _, err = cli("archive", "--out", project_folder / "public")
    assert code == 2
    assert "public_url" in err
