import datetime
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import PostError
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.blocks.replace_elements import ElementReplacer
from newsletter.posts.importing.sources.medium import is_medium_export, open_medium_export
from newsletter.posts.importing.sources.medium_blocks import (
    MEDIUM_BLOCKS,
    join_code_blocks,
    remove_opening,
)
from newsletter.posts.removed_line import RemovedLine

SETTINGS = SourceSettings(ZoneInfo("Europe/Oslo"), "en", 10_000)
NAME = "2026-03-01_Spring---tides-1eab9579f7db.html"
SUBTITLE = '<section data-field="subtitle" class="p-summary">\nAt last\n</section>'
FOOTER = (
    '<p class="p-tags">Tagged in <a class="p-tag">Tides</a>, <a class="p-tag">Boats</a></p>'
    '<p>By <a href="https://medium.com/@ada" class="p-author h-card">Ada Berg</a> on <a href="x">'
    '<time class="dt-published" datetime="2026-03-01T08:00:00.000Z">March 1</time></a>.</p>'
)
CANONICAL = (
    '<a href="https://medium.com/@ada/spring-tides-1eab9579f7db" class="p-canonical">Link</a>'
)
SECTION = '<section class="section section--first"><div class="section-content">'
ReadPosts = Callable[[Mapping[str, str]], list[SourcePost | UnreadablePost]]


def page(
    body: str, *, title: str = "Spring &amp; tides", subtitle: str = SUBTITLE, footer: str = FOOTER
) -> str:
    return (
        f"<!DOCTYPE html><html><head><style>p "
        f'{{}}</style></head><body><article class="h-entry"><header>'
        f'<h1 class="p-name">{title}</h1></header>{subtitle}<section '
        f'data-field="body" class="e-content">'
        f'<section class="section section--first"><div '
        f'class="section-divider"><hr class="section-divider"></div>'
        f"<div "
        f'class="section-content">{body}</div></section></section><footer>{footer}{CANONICAL}</footer>'
        "</article></body></html>"
    )


@pytest.fixture(params=["zip", "folder"])
def read_posts(request: pytest.FixtureRequest, tmp_path: Path) -> ReadPosts:
    """Return a function that writes an export and reads its posts."""

    def read(pages: Mapping[str, str]) -> list[SourcePost | UnreadablePost]:
        files = {f"posts/{name}": text for name, text in pages.items()}
        files |= {"profile/profile.html": "ada@example.com", "images.zip": ""}
        path = tmp_path / "medium.zip" if request.param == "zip" else tmp_path / "medium"
        if request.param == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name, text in files.items():
                    archive.writestr(name, text)
        for name, text in files.items() if request.param == "folder" else ():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text, encoding="utf-8")
        assert is_medium_export(path)
        export = open_medium_export(path, SETTINGS)
        posts = list(export.iter_posts())
        assert posts == list(export.iter_posts())
        assert export.list_other_items()["other files"] == 2
        assert export.list_other_items().get("comments", 0) == len(pages) - len(posts)
        return posts

    return read


def test_everything_about_a_post_is_read(read_posts: ReadPosts) -> None:
    body = (
        '<h3 class="graf graf--h3 graf--title">Spring &amp; tides</h3>'
        '<h4 class="graf graf--h4 graf--subtitle">At last</h4><p class="graf">The ice let go.</p>'
    )
    (post,) = read_posts({NAME: page(body)})
    assert isinstance(post, SourcePost)
    assert post == SourcePost(
        title="Spring & tides",
        content=f'{SECTION}<p class="graf">The ice let go.</p></div></section>',
        original=post.original,
        post_id="1eab9579f7db",
        url="https://medium.com/@ada/spring-tides-1eab9579f7db",
        slug="spring-tides",
        date=datetime.datetime(2026, 3, 1, 8, tzinfo=datetime.UTC),
        author="Ada Berg",
        tags=("Tides", "Boats"),
        summary="At last",
        removed=(RemovedLine(1, "At last", "subtitle, now the summary"),),
    )
    assert body in post.original


def test_drafts_and_dates_from_names(read_posts: ReadPosts) -> None:
    names = (NAME, "draft_Knots-fbbf0ae0fc1b.html")
    dated, draft = read_posts(dict.fromkeys(names, page("<p>a</p><p>b</p>", footer="")))
    assert isinstance(draft, SourcePost)
    assert (draft.status, draft.date, draft.post_id) == ("draft", None, "fbbf0ae0fc1b")
    assert isinstance(dated, SourcePost)
    assert (dated.status, str(dated.date)) == ("published", "2026-03-01 00:00:00+00:00")


@pytest.mark.parametrize(
    ("body", "title", "is_comment"),
    [
        ("<p>Great, thanks!</p>", "Great, thanks!", True),
        ("<p>Great, I had a boat like that once.</p><p>Bo</p>", "Great, I had a\u2026", True),
        ("<p>Great, thanks!</p>", "My own title", False),
        ("<p>A</p><p>b</p><p>c</p>", "A", False),
        ("<h3>A</h3><p>A</p>", "A", False),
        ("<p>Great. I had one.</p><p>b</p><ul><li>c</li></ul><p>d</p>", "Great.", True),
        ("", "A", False),
        ('<p>A</p><figure><img src="a.png"></figure>', "A", False),
    ],
)
def test_comments_are_told_from_posts(
    read_posts: ReadPosts, body: str, title: str, *, is_comment: bool
) -> None:
    footer = FOOTER.partition("</p>")[2]  # without tags
    posts = read_posts({NAME: page(body, title=title, footer=footer)})
    assert (posts == []) is is_comment


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html><p>x</p></html>", "no e-content"),
        (page(""), "the post has no text"),
        (page("x" * 10_000), "10,000 bytes"),
        (page("<div>" * 300), "nest"),
    ],
)
def test_unreadable_post_does_not_stop_the_others(
    read_posts: ReadPosts, text: str, message: str
) -> None:
    unreadable, post = read_posts({NAME: text, f"b{NAME}": page("<p>a</p>")})
    assert isinstance(unreadable, UnreadablePost)
    assert message in unreadable.problem.message
    assert unreadable.problem.where is not None
    assert unreadable.problem.where.path.endswith(NAME)
    assert isinstance(post, SourcePost)


def test_draft_without_text_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "medium.zip"
    with zipfile.ZipFile(path, "w") as archive:
        title = page("<h3>Spring & tides</h3>", footer="")
        archive.writestr("posts/draft_Spring-fbbf0ae0fc1b.html", title)
    export = open_medium_export(path, SETTINGS)
    assert list(export.iter_posts()) == []
    assert export.list_other_items() == {"drafts without text": 1}


def test_other_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "index.html").write_text("x")
    assert not is_medium_export(tmp_path)
    (tmp_path / "posts" / "index.html").rename(tmp_path / "a.txt")
    with pytest.raises(PostError, match="not an export of Medium"):
        list(open_medium_export(tmp_path, SETTINGS).iter_posts())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<h3>Spring!</h3><p>a</p>", "<p>a</p>"),
        ('<h3>Spring</h3><h4 class="graf--subtitle">At last.</h4><p>a</p>', "<p>a</p>"),
        ("<h3>Spring</h3><h4>At last</h4><p>a</p>", "<h4>At last</h4><p>a</p>"),
        ("<h3>Winter</h3><p>a</p>", "<h3>Winter</h3><p>a</p>"),
        ("<p>a</p><h3>Spring</h3>", "<p>a</p><h3>Spring</h3>"),
        ('<img src="a.png"><h3>Spring</h3>', '<img src="a.png">'),
    ],
)
def test_headings_that_repeat_the_title_are_removed(body: str, expected: str) -> None:
    found, removed = remove_opening(body, "Spring", "At last")
    assert found == expected
    assert [entry.text for entry in removed] == (["At last."] if "graf--subtitle" in body else [])


def test_link_in_the_title_is_listed() -> None:
    title = '<h3><a href="https://a.example/">Spring</a></h3>'
    body, (removed,) = remove_opening(f"{title}<p>a</p>", "Spring", "")
    assert (body, removed.text) == ("<p>a</p>", "Spring https://a.example/")


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ("The ice let go on\u2026", ""),
        ("Ice and fog\u2026", "Ice and fog\u2026"),
        ("The ice", "The ice"),
    ],
)
def test_first_words_of_the_text_are_no_summary(
    read_posts: ReadPosts, summary: str, expected: str
) -> None:
    subtitle = SUBTITLE.replace("At last", summary)
    (post,) = read_posts({NAME: page("<p>The ice let go on Tuesday.</p>", subtitle=subtitle)})
    assert isinstance(post, SourcePost)
    assert post.summary == expected


def pre(code: str, *, after: str = "p", more: str = "") -> str:
    return f'<pre class="graf graf--pre graf-after--{after}"{more}>{code}</pre>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            pre("<code class='x'>a = 1<br>b &lt; 2</code>") + pre("c", after="pre") + "<p>x</p>",
            "<pre><code>a = 1\nb &lt; 2\n\nc</code></pre><p>x</p>",
        ),
        (
            pre(
                '<span class="pre--content"><span>if</span> a</span>',
                more=' data-code-block-lang="python"',
            ),
            '<pre><code class="language-python">if a</code></pre>',
        ),
        (
            pre("a") + "<p>x</p>" + pre("b", after="p"),
            "<pre><code>a</code></pre><p>x</p><pre><code>b</code></pre>",
        ),
        (
            pre("a") + pre("b", after="pre") + "<p>x</p>" + pre("c"),
            "<pre><code>a\n\nb</code></pre><p>x</p><pre><code>c</code></pre>",
        ),
        ("<pre>own</pre>", "<pre>own</pre>"),
    ],
)
def test_code_is_joined(body: str, expected: str) -> None:
    assert join_code_blocks(body) == expected


@pytest.mark.parametrize(
    ("body", "expected", "removed"),
    [
        (
            (
                '<div class="section-inner sectionLayout--outsetRow"><figure><a '
                'href="/x"><img src="1.png" alt="A"></a>'
                '</figure><figure><img src="2.png"><figcaption>Two</figcaption></figure></div>'
            ),
            (
                '<figure class="gallery"><a href="/x"><img src="1.png" '
                'alt="A"></a><img src="2.png" alt=""><figcaption>'
                "Two</figcaption></figure>"
            ),
            [],
        ),
        (
            (
                '<div class="graf graf--mixtapeEmbed"><a class="markup--anchor" href="https://a.example/"><strong>Knots'
                "</strong><br><em>Three.</em>a.example</a><a "
                'class="js-mixtapeImage" style="background-image: '
                'url(https://a.example/i.png);"></a></div>'
            ),
            (
                '<iframe src="https://a.example/" title="Knots" poster="https://a.example/i.png"></iframe><p>Three.</p>'
                '<p class="small">a.example</p>'
            ),
            [],
        ),
        (
            (
                '<figure class="graf graf--figure graf--iframe"><script src="https://gist.github.com/ada/1.js"></script>'
                "<figcaption>Code</figcaption></figure>"
            ),
            '<figure><script src="https://gist.github.com/ada/1.js"></script><figcaption>Code</figcaption></figure>',
            [],
        ),
        (
            '<figure class="graf--iframe"><script src="https://medium.com/media/1/href"></script></figure>',
            '<figure><iframe src="https://medium.com/media/1/href"></iframe></figure>',
            [],
        ),
        (
            '<figure class="graf--iframe"><figcaption>The <b>lock</b></figcaption></figure>',
            "<p>The <b>lock</b></p>",
            ["embed"],
        ),
    ],
)
def test_block_becomes_ours(body: str, expected: str, removed: list[str]) -> None:
    replacer = ElementReplacer(MEDIUM_BLOCKS)
    assert sanitize_html(replacer.replace(body)) == sanitize_html(expected)
    assert [entry.text for entry in replacer.removed] == removed
