"""Converting an issue for the web: defaults, sanitizing, images, listing."""

import datetime
from pathlib import Path

import lxml.html
import pytest

from newsletter.config import Config
from newsletter.errors import PostError
from newsletter.posts.read_issue import read_issue
from newsletter.render.words import OwnWords
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


def make_page(folder: Path, post: str, config: Config = CONFIG) -> ArchivedIssue:
    issue_dir = folder / "2026-12-01-the-ice"
    issue_dir.mkdir(exist_ok=True)
    (issue_dir / "post.md").write_text(post)
    return make_archived_issue(read_issue(issue_dir, config), AT, config)


def test_callouts_are_named_in_the_projects_own_words(tmp_path: Path) -> None:
    make_page(tmp_path, "---\ntitle: Ice\n---\n> [!NOTE]\n> Thin.\n")
    issue = read_issue(tmp_path / "2026-12-01-the-ice", CONFIG)
    own_words = OwnWords("words", {"en": "article: {note: Ahoy}"})
    assert "Ahoy</p>" in make_archived_issue(issue, AT, CONFIG, own_words).html


def test_posts_of_a_digest_are_below_the_introduction(tmp_path: Path) -> None:
    digest = (
        "digest:\n- {title: Knots & bends, url: 'https://harbournotes.example/knots?a=1&b=2',"
        " excerpt: 'For {{ subscriber.name }}', minutes: 3, section: Boats,"
        " picture: {src: https://cdn.example/k.jpg, alt: Knots}}\n"
        "- {title: Tides, url: https://harbournotes.example/tides}\n"
    )
    page = make_page(tmp_path, f"---\ntitle: Ice\n{digest}---\nIntroduction.\n")
    assert page.html == (
        "<p>Introduction.</p>\n"
        '<div class="digest-post">\n<div class="digest-story">\n'
        '<h2><a href="https://harbournotes.example/tides">Tides</a></h2>\n'
        "</div>\n</div>\n<h2>Boats</h2>\n"
        '<div class="digest-post">\n<p class="digest-picture">'
        '<a href="https://harbournotes.example/knots?a=1&amp;b=2">'
        '<img src="https://cdn.example/k.jpg" alt="Knots" loading="lazy"></a></p>\n'
        '<div class="digest-story">\n'
        '<h3><a href="https://harbournotes.example/knots?a=1&amp;b=2">Knots &amp; bends</a></h3>\n'
        '<p>For friend</p>\n<p class="digest-minutes">3 min read</p>\n</div>\n</div>'
    )
    without_introduction = make_page(tmp_path, f"---\ntitle: Ice\n{digest}---\n")
    assert without_introduction.summary == "For friend"


def test_merge_tags_show_defaults_and_personal_links_are_removed(tmp_path: Path) -> None:
    page = make_page(
        tmp_path,
        "---\ntitle: 'Ice, {{ subscriber.name }}'\n---\n"
        'Hello {{ subscriber.name | default("A&B") }},'
        " [look](https://harbournotes.example/?n={{ subscriber.name }}),"
        " or [leave]({{ unsubscribe_url }}).",
    )
    assert page.title == "Ice, friend"
    assert "Hello A&amp;B," in page.html
    assert 'href="https://harbournotes.example/?n=friend"' in page.html  # and no utm_source
    assert "or leave." in page.html
    assert "-nl" not in page.html
    assert page.summary == "Hello A&B, look, or leave."


def test_scripts_and_styles_of_a_post_are_removed(tmp_path: Path) -> None:
    _add_svg(tmp_path)
    page = make_page(
        tmp_path,
        "---\ntitle: <script>alert(1)</script>\n---\n"
        "<script>alert(1)</script>"
        "<p onclick='alert(1)' style='position:fixed;text-align:right'>x</p>"
        "<a href='javascript:alert(1)'>a</a><img src=x.svg onerror=alert(1)>"
        "<style>body{display:none}</style><svg onload=alert(1)></svg>"
        "<iframe src='https://www.youtube.com/embed/abc' title='A film'></iframe>",
    )
    root = lxml.html.fromstring(f"<div>{page.html}</div>")
    assert [e.tag for e in root.iter("script", "style", "svg", "iframe", "form")] == []
    names = {str(name) for element in root.iter() for name in element.attrib}
    assert not {name for name in names if name.startswith("on") or name == "style"}
    assert "javascript:" not in page.html
    assert [p.text for p in root.iter("p") if p.get("class") == "align-right"] == ["x"]
    # The video becomes a link; its preview image would be fetched from another site's server.
    assert "https://www.youtube.com/watch?v=abc" in page.html
    assert "ytimg" not in page.html


def _add_svg(folder: Path) -> None:
    issue = folder / "2026-12-01-the-ice"
    issue.mkdir()
    (issue / "x.svg").write_text('<svg width="9" height="9"/>')


def test_image_urls_are_relative_to_the_base(tmp_path: Path) -> None:
    _add_svg(tmp_path)
    issue = tmp_path / "2026-12-01-the-ice"
    (issue / "x.dark.svg").write_text((issue / "x.svg").read_text())
    page = make_page(tmp_path, "---\ntitle: Ice\nhero: x.svg\n---\n![a](x.svg) and words")
    assert 'src="/issues/the-ice/x.svg"' in page.html_with_base("")
    assert 'src="https://a.example/n/issues/the-ice/x.svg"' in page.html_with_base(
        "https://a.example/n"
    )
    hero = page.view_with_base("/n").hero
    assert hero is not None
    assert hero.src == "/n/issues/the-ice/x.svg"
    assert hero.dark_src == "/n/issues/the-ice/x.dark.svg"
    (tmp_path / "2026-12-01-the-ice" / "x.dark.svg").unlink()
    without_twin = make_page(tmp_path, "---\ntitle: Ice\nhero: x.svg\n---\nwords").view.hero
    assert without_twin is not None
    assert without_twin.dark_src == ""
    assert 'dark)" srcset="/issues/the-ice/x.dark.svg"><img' in page.html_with_base("")


@pytest.mark.parametrize(
    ("post", "picture"),
    [
        ("hero: x.svg\n---\nwords ![b](y.svg)", "x.svg"),
        ("---\n![b](https://elsewhere.example/z.png) ![b](y.svg)", "y.svg"),
        ("---\nwords", ""),
    ],
)
def test_picture_for_previews_is_the_hero_or_the_first_own_one(
    tmp_path: Path, post: str, picture: str
) -> None:
    _add_svg(tmp_path)
    (tmp_path / "2026-12-01-the-ice" / "y.svg").write_text('<svg width="9" height="9"/>')
    found = make_page(tmp_path, f"---\ntitle: Ice\n{post}").picture_with_base("https://a.example")
    assert (found.src if found else "") == (
        f"https://a.example/issues/the-ice/{picture}" if picture else ""
    )


@pytest.mark.parametrize(
    "post",
    [
        "---\n![{{ subscriber.name }}](x.svg)\n",
        "digest: [{title: '{{ subscriber.name }}', url: https://a.io, picture: x.svg}]\n---\nHi.\n",
    ],
)
def test_alternative_text_of_that_picture_has_defaults(tmp_path: Path, post: str) -> None:
    _add_svg(tmp_path)
    picture = make_page(tmp_path, f"---\ntitle: Ice\n{post}").picture
    assert picture
    assert picture.alt == "friend"


def test_colors_of_code_are_classes(tmp_path: Path) -> None:
    page = make_page(tmp_path, "---\ntitle: ice\n---\n```python\n# why\nreturn 12\n```\n")
    root = lxml.html.fromstring(f"<div>{page.html}</div>")
    spans = [(span.get("class"), span.text) for span in root.iter("span")]
    assert ("code-italic code-gray", "# why") in spans
    assert ("code-blue", "return") in spans
    assert ("code-orange", "12") in spans


def test_canonical_url_is_the_posts_own_if_set(tmp_path: Path) -> None:
    own = make_page(
        tmp_path, "---\ntitle: Ice\ncanonical_url: https://blog.example/ice\n---\nwords"
    )
    assert (own.url, own.address) == (
        "https://blog.example/ice",
        "https://news.harbournotes.example/issues/the-ice",
    )
    assert make_page(tmp_path, "---\ntitle: Ice\n---\nwords").url == own.address


def test_date_language_and_direction(tmp_path: Path) -> None:
    page = make_page(tmp_path, "---\ntitle: ice\nlanguage: ar\ndate: 2026-11-08\n---\nwords")
    assert (page.lang, page.dir, page.date) == ("ar", "rtl", "8 نوفمبر 2026")
    undated = make_page(tmp_path, "---\ntitle: ice\n---\nwords")
    assert (undated.dir, undated.date) == ("ltr", "1 December 2026")


def test_listing_is_from_front_matter_or_settings(tmp_path: Path) -> None:
    hidden = CONFIG.model_copy(
        update={"archive": CONFIG.archive.model_copy(update={"listing": "private"})}
    )
    assert make_page(tmp_path, "---\ntitle: ice\n---\nwords").listing == "listed"
    assert make_page(tmp_path, "---\ntitle: ice\n---\nwords", hidden).listing == "private"
    post = "---\ntitle: ice\narchive: unlisted\n---\nwords"
    assert make_page(tmp_path, post, hidden).listing == "unlisted"


def test_invalid_listing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(PostError) as error:
        make_page(tmp_path, "---\ntitle: ice\narchive: secret\n---\nwords")
    (problem,) = error.value.problems
    assert problem.message == "archive must be 'listed', 'unlisted' or 'private'"
    assert problem.where is not None
    assert problem.where.line == 3
    assert problem.remedy == "Example: archive: unlisted"


def test_invitation_to_reply_is_left_out(tmp_path: Path) -> None:
    page = make_page(tmp_path, "---\ntitle: ice\n---\n::: reply\nWhich knot?\n:::\nAfter\n")
    assert page.html == "<p>After</p>"


def test_links_of_a_sponsor_are_marked(tmp_path: Path) -> None:
    text = "---\ntitle: ice\n---\n::: sponsor\n[Rope](https://a.example/)\n:::\n[B](https://b.example/)\n"
    root = lxml.html.fromstring(f"<div>{make_page(tmp_path, text).html}</div>")
    assert [(link.text, link.get("rel")) for link in root.iter("a")] == [
        ("Rope", "sponsored"),
        ("B", None),
    ]


def test_scrollable_elements_are_focusable(tmp_path: Path) -> None:
    page = make_page(
        tmp_path, "---\ntitle: ice\n---\n    code\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    root = lxml.html.fromstring(f"<div>{page.html}</div>")
    assert [e.tag for e in root.iter() if e.get("tabindex") == "0"] == ["pre", "div"]
