import datetime
from pathlib import Path

import lxml.html
import pytest

from newsletter.config import Config
from newsletter.errors import PostError
from newsletter.posts.read_issue import read_issue
from newsletter.web.archive.archived_issue import ArchivedIssue, make_archived_issue

AT = datetime.datetime(2026, 12, 1, 9, 30, tzinfo=datetime.UTC)
CONFIG = Config.model_validate(
    {
        "name": "Harbour Notes",
        "sender": {"name": "Ingrid", "address": "editor@harbournotes.example"},
        "site_url": "https://harbournotes.example",
        "public_url": "https://news.harbournotes.example",
        "attributes": {"name": "friend"},
        "utm": {"source": "letter"},
        "timezone": "Asia/Tokyo",
    },
    strict=False,
)


def page(folder: Path, post: str, config: Config = CONFIG) -> ArchivedIssue:
    issue = folder / "2026-12-01-the-ice"
    issue.mkdir(exist_ok=True)
    (issue / "post.md").write_text(post)
    return make_archived_issue(read_issue(issue, config), AT, config)


def test_what_differs_from_reader_to_reader_shows_its_default(tmp_path: Path) -> None:
    made = page(
        tmp_path,
        "---\ntitle: 'Ice, {{ subscriber.name }}'\n---\n"
        'Hello {{ subscriber.name | default("A&B") }},'
        " [look](https://harbournotes.example/?n={{ subscriber.name }}),"
        " or [leave]({{ unsubscribe_url }}).",
    )
    assert made.title == "Ice, friend"
    assert "Hello A&amp;B," in made.html
    assert 'href="https://harbournotes.example/?n=friend"' in made.html  # and no utm_source
    assert "or leave." in made.html
    assert "-nl" not in made.html
    assert made.summary == "Hello A&B, look, or leave."


def test_nothing_in_a_post_can_run_or_style_the_page(tmp_path: Path) -> None:
    _svg(tmp_path)
    made = page(
        tmp_path,
        "---\ntitle: <script>alert(1)</script>\n---\n"
        "<script>alert(1)</script>"
        "<p onclick='alert(1)' style='position:fixed;text-align:right'>x</p>"
        "<a href='javascript:alert(1)'>a</a><img src=x.svg onerror=alert(1)>"
        "<style>body{display:none}</style><svg onload=alert(1)></svg>"
        "<iframe src='https://www.youtube.com/embed/abc' title='A film'></iframe>",
    )
    root = lxml.html.fromstring(f"<div>{made.html}</div>")
    assert [e.tag for e in root.iter("script", "style", "svg", "iframe", "form")] == []
    names = {str(name) for element in root.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert "javascript:" not in made.html
    assert [p.text for p in root.iter("p") if p.get("class") == "align-right"] == ["x"]
    # The film is a link; its still would be fetched from another's server.
    assert "https://www.youtube.com/watch?v=abc" in made.html
    assert "ytimg" not in made.html


def _svg(folder: Path) -> None:
    issue = folder / "2026-12-01-the-ice"
    issue.mkdir()
    (issue / "x.svg").write_text('<svg width="9" height="9"/>')


def test_images_are_where_the_page_is(tmp_path: Path) -> None:
    _svg(tmp_path)
    made = page(tmp_path, "---\ntitle: Ice\nhero: x.svg\n---\n![a](x.svg) and words")
    assert 'src="/issues/the-ice/x.svg"' in made.html_with_base("")
    assert 'src="https://a.example/n/issues/the-ice/x.svg"' in made.html_with_base(
        "https://a.example/n"
    )
    hero = made.view_with_base("/n").hero
    assert hero is not None
    assert hero.src == "/n/issues/the-ice/x.svg"


def test_the_page_of_record_is_the_posts_own(tmp_path: Path) -> None:
    own = page(tmp_path, "---\ntitle: Ice\ncanonical_url: https://blog.example/ice\n---\nwords")
    assert (own.url, own.address) == (
        "https://blog.example/ice",
        "https://news.harbournotes.example/issues/the-ice",
    )
    assert page(tmp_path, "---\ntitle: Ice\n---\nwords").url == own.address


def test_day_language_and_direction(tmp_path: Path) -> None:
    made = page(tmp_path, "---\ntitle: ice\nlanguage: ar\ndate: 2026-11-08\n---\nwords")
    assert (made.lang, made.dir, made.date) == ("ar", "rtl", "2026-11-08")
    undated = page(tmp_path, "---\ntitle: ice\n---\nwords")
    assert (undated.dir, undated.date) == ("ltr", "1 December 2026")


def test_who_can_find_it(tmp_path: Path) -> None:
    hidden = CONFIG.model_copy(
        update={"archive": CONFIG.archive.model_copy(update={"listing": "private"})}
    )
    assert page(tmp_path, "---\ntitle: ice\n---\nwords").listing == "listed"
    assert page(tmp_path, "---\ntitle: ice\n---\nwords", hidden).listing == "private"
    told = "---\ntitle: ice\narchive: unlisted\n---\nwords"
    assert page(tmp_path, told, hidden).listing == "unlisted"


def test_a_word_that_says_no_such_thing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PostError) as refused:
        page(tmp_path, "---\ntitle: ice\narchive: secret\n---\nwords")
    (problem,) = refused.value.problems
    assert problem.message == "archive must be 'listed', 'unlisted' or 'private'"
    assert problem.where is not None
    assert problem.where.line == 3
    assert problem.remedy == "Example: archive: unlisted"


def test_what_scrolls_can_be_reached_by_keyboard(tmp_path: Path) -> None:
    made = page(tmp_path, "---\ntitle: ice\n---\n    code\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    root = lxml.html.fromstring(f"<div>{made.html}</div>")
    assert [e.tag for e in root.iter() if e.get("tabindex") == "0"] == ["pre", "div"]
