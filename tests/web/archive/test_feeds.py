"""Atom feed, JSON feed, sitemap and robots.txt of the archive."""

import datetime
import json
from pathlib import Path

import pytest
from lxml import etree

from newsletter.config import Config
from newsletter.posts.read_issue import read_issue
from newsletter.web.archive import feeds
from newsletter.web.archive.archived_issue import ArchivedIssue, make_archived_issue

ATOM = {"a": "http://www.w3.org/2005/Atom"}
CONFIG = Config.model_validate(
    {
        "name": "Harbour <Notes>",
        "sender": {"name": "Ingrid", "address": "editor@harbournotes.example"},
        "site_url": "https://harbournotes.example",
        "public_url": "https://news.harbournotes.example",
    },
    strict=False,
)


@pytest.fixture
def issues(tmp_path: Path) -> list[ArchivedIssue]:
    """Twenty-two issues, the latest first; the latest has markup in its title."""
    issues = []
    for day in range(1, 23):
        folder = tmp_path / f"2026-11-{day:02}-letter-{day}"
        folder.mkdir()
        title = "Ice & <b>fire</b> ]]>" if day == 22 else f"Letter {day}"
        (folder / "a.png").write_bytes(b"")
        (folder / "post.md").write_text(
            f"---\ntitle: '{title}'\nauthor: Ada\ntags: [ice]\nlanguage: nb\n---\n"
            "Hello <em>you</em> ![a](a.png)"
        )
        at = datetime.datetime(2026, 11, day, 9, tzinfo=datetime.UTC)
        issues.append(make_archived_issue(read_issue(folder, CONFIG), at, CONFIG))
    return issues[::-1]


def find_text(node: etree._Element, path: str) -> list[str]:
    results = node.xpath(path, namespaces=ATOM)
    assert isinstance(results, list)
    return [str(result) for result in results]


def test_atom_feed_has_the_elements_required_by_rfc_4287(issues: list[ArchivedIssue]) -> None:
    feed = etree.fromstring(feeds.build_atom_feed(CONFIG, issues))
    assert feed.tag == "{http://www.w3.org/2005/Atom}feed"
    for name in ("title", "id", "updated", "author"):
        assert len(feed.findall(f"a:{name}", ATOM)) == 1, name
    assert find_text(feed, "a:link[@rel='self']/@href") == [
        "https://news.harbournotes.example/feed.atom"
    ]
    entries = feed.findall("a:entry", ATOM)
    assert len(entries) == feeds.MAX_FEED_ENTRIES
    for entry in entries:
        for name in ("title", "id", "updated", "published", "content", "author"):
            assert len(entry.findall(f"a:{name}", ATOM)) == 1, name
        (moment,) = find_text(entry, "a:updated/text()")
        assert datetime.datetime.fromisoformat(moment).tzinfo is not None
        assert len(find_text(entry, "a:link[@rel='alternate']/@href")) == 1
    assert len(set(find_text(feed, "a:entry/a:id/text()"))) == feeds.MAX_FEED_ENTRIES
    assert find_text(feed, "a:updated/text()") == ["2026-11-22T09:00:00Z"]


def test_titles_are_text_and_content_is_escaped_html(issues: list[ArchivedIssue]) -> None:
    feed = etree.fromstring(feeds.build_atom_feed(CONFIG, issues))
    assert find_text(feed, "a:entry[1]/a:title/text()") == ["Ice & <b>fire</b> ]]>"]
    (content,) = find_text(feed, "a:entry[1]/a:content/text()")
    assert "<em>you</em>" in content
    assert 'src="https://news.harbournotes.example/issues/letter-22/a.png"' in content


def test_entry_id_does_not_change_with_the_public_url(
    issues: list[ArchivedIssue],
) -> None:
    assert feeds.make_entry_id(CONFIG, issues[0]) == "tag:harbournotes.example,2026-11-22:letter-22"
    moved = CONFIG.model_copy(update={"public_url": "https://elsewhere.example/n"})
    for feed in (feeds.build_atom_feed(moved, issues), feeds.build_json_feed(moved, issues)):
        assert b"tag:harbournotes.example,2026-11-22:letter-22" in feed


def test_json_feed_has_version_authors_and_items(issues: list[ArchivedIssue]) -> None:
    feed = json.loads(feeds.build_json_feed(CONFIG, issues))
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == "https://news.harbournotes.example/feed.json"
    assert [item["title"] for item in feed["items"]][:2] == ["Ice & <b>fire</b> ]]>", "Letter 21"]
    first = feed["items"][0]
    assert first["authors"] == [{"name": "Ada"}]
    assert (first["language"], first["tags"]) == ("nb", ["ice"])
    assert first["date_published"] == "2026-11-22T09:00:00Z"


def test_empty_archive_is_a_valid_feed() -> None:
    feed = etree.fromstring(feeds.build_atom_feed(CONFIG, []))
    assert find_text(feed, "a:updated/text()") == ["1970-01-01T00:00:00Z"]
    assert json.loads(feeds.build_json_feed(CONFIG, []))["items"] == []


def test_sitemap_lists_every_page(issues: list[ArchivedIssue]) -> None:
    urls = etree.fromstring(feeds.build_sitemap(CONFIG, issues))
    locations = [loc.text for loc in urls.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert locations[:2] == [
        "https://news.harbournotes.example/",
        "https://news.harbournotes.example/issues/letter-22",
    ]
    assert len(locations) == 1 + len(issues)
    assert b"Sitemap: https://news.harbournotes.example/sitemap.xml" in feeds.build_robots_txt(
        CONFIG
    )
