"""The archive's pages: latest issue, search, sign-up, languages."""

import datetime
import re
from pathlib import Path

import lxml.html
import pytest
import sqlalchemy as sa

from newsletter.config import Config
from newsletter.posts.read_issue import read_issue
from newsletter.project import Project
from newsletter.web.archive.archived_issue import ArchivedIssue, make_archived_issue
from newsletter.web.archive.pages import (
    get_served_location,
    render_index_page,
    render_issue_page,
    render_search_page,
)
from newsletter.web.page_templates import PageRenderer
from newsletter.web.site_context import Site

AT = datetime.datetime(2026, 12, 1, 9, 30, tzinfo=datetime.UTC)
# Nothing in it is written in Latin letters.
ARABIC = {
    "name": "رسائل الميناء",
    "description": "رسالة كل أسبوع",
    "language": "ar",
    "sender": {"name": "ليلى", "address": "editor@harbournotes.example"},
    "site_url": "https://harbournotes.example",
    "public_url": "https://news.harbournotes.example",
}
POST = """\
---
title: رسالة
{front}
---
كلمات

![قارب](boat.svg)
"""


def make_site(folder: Path, **settings: object) -> Site:
    config = Config.model_validate(ARABIC | settings, strict=False)
    project = Project(folder, config)
    return Site(project, sa.create_engine("sqlite://"), PageRenderer(project), b"")


def make_issues(site: Site, count: int, front: str = "hero: boat.svg") -> list[ArchivedIssue]:
    """Return issues, the latest first; each has a picture."""
    issues = []
    for number in range(count, 0, -1):
        folder = site.project.issues_dir / f"2026-12-01-issue-{number}"
        folder.mkdir(parents=True)
        (folder / "boat.svg").write_text('<svg width="9" height="9"/>')
        (folder / "post.md").write_text(POST.format(front=front))
        issues.append(make_archived_issue(read_issue(folder, site.config), AT, site.config))
    return issues


def parse(response: object) -> lxml.html.HtmlElement:
    return lxml.html.document_fromstring(bytes(response.body))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("count", "number", "latest", "listed", "search"),
    [
        (0, 1, 0, 0, 0),
        (1, 1, 1, 0, 0),
        (9, 1, 1, 8, 0),
        (10, 1, 1, 9, 1),
        (21, 1, 1, 19, 1),
        (21, 2, 0, 1, 1),
    ],
)
def test_first_page_of_the_index_has_the_latest_issue_large(
    tmp_path: Path, count: int, number: int, latest: int, listed: int, search: int
) -> None:
    site = make_site(tmp_path)
    location = get_served_location(site)
    page = parse(render_index_page(site, location, make_issues(site, count), number))
    assert len(page.cssselect("article.latest img[src$='/boat.svg']")) == latest
    assert len(page.cssselect("ol.issues > li")) == listed
    assert len(page.cssselect("form[role=search]")) == search
    # One primary button: that of the sign-up.
    (button,) = page.cssselect("form[method=post] button, a.button, button:not(.quiet)")
    assert button.text == site.pages.messages["archive_subscribe"]
    pictures = page.cssselect('meta[property="og:image"]')
    assert [picture.get("content") for picture in pictures] == (
        [f"https://news.harbournotes.example/issues/issue-{count}/boat.svg"] if latest else []
    )


def test_exported_index_has_no_search(tmp_path: Path) -> None:
    site = make_site(tmp_path)
    location = get_served_location(site)._replace(is_searchable=False)
    page = parse(render_index_page(site, location, make_issues(site, 10), 1))
    assert page.cssselect("form[role=search]") == []


def test_sign_up_form_has_the_fields_of_the_sign_up_page(tmp_path: Path) -> None:
    site = make_site(tmp_path, tracking="ask")
    issues = make_issues(site, 1)
    location = get_served_location(site)
    for page in (
        render_index_page(site, location, issues, 1),
        render_issue_page(site, location, issues, issues[0]),
    ):
        (form,) = parse(page).cssselect("form[data-newsletter]")
        assert (form.get("method"), form.get("action")) == ("post", "/subscribe")
        names = {field.get("name") for field in form.cssselect("input")}
        # Its script adds the token: the page is the same for everybody, and cached.
        assert names == {"email", "website", "tracking", "tracking_asked"}
        assert "Set-Cookie" not in page.headers
    assert (
        parse(render_search_page(site, location, issues, "x")).cssselect("form[method=post]") == []
    )


@pytest.mark.parametrize("number", [2, 1, 0])
def test_arabic_archive_has_no_latin_letter_and_runs_from_right_to_left(
    tmp_path: Path, number: int
) -> None:
    site = make_site(tmp_path)
    issues = make_issues(site, 21)[::7]
    location = get_served_location(site)
    for response in (
        render_index_page(site, location, issues * 7, 1),
        render_search_page(site, location, issues[:number], "كلمات"),
        render_issue_page(site, location, issues, issues[number]),
    ):
        page = parse(response)
        assert (page.get("lang"), page.get("dir")) == ("ar", "rtl")
        assert {element.get("dir") for element in page.cssselect("[dir]")} == {"rtl"}
        assert re.findall("[A-Za-z]+", page.text_content()) == []
