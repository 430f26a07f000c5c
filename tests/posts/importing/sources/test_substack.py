import datetime
import html
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import PostError
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.blocks.replace_elements import (
    REST_REASON,
    ElementReplacer,
)
from newsletter.posts.importing.sources.substack import is_substack_export, open_substack_export
from newsletter.posts.importing.sources.substack_widgets import (
    SUBSTACK_WIDGETS,
    remove_note_numbers,
    rewrite_substack_widgets,
    unlink_pictures,
)
from newsletter.posts.removed_line import RemovedLine

SETTINGS = SourceSettings(
    ZoneInfo("Europe/Oslo"), "en", 10_000, base_url="https://tides.substack.com"
)
HEADER = "post_id,post_date,is_published,email_sent_at,type,audience,title,subtitle,podcast_url"
SPRING = (
    "101.spring,2026-03-01T08:00:00.000Z,true,,newsletter,everyone,"
    '"Spring, &#x201C;now&#x201D;",At last,'
)
WriteExport = Callable[..., Path]


@pytest.fixture(params=["zip", "folder"])
def write_export(request: pytest.FixtureRequest, tmp_path: Path) -> WriteExport:
    """Return a function that writes an export: the rows of posts.csv, and other files."""

    def write(*rows: str, **files: str) -> Path:
        contents = {f"posts/{name.replace('_', '.', 1)}.html": text for name, text in files.items()}
        contents |= {
            "posts.csv": "\r\n".join((HEADER, *rows)),
            "email_list.tides.csv": "email\nada@example.com",
            "posts/101.opens.csv": "email\nada@example.com",
            "images.zip": "",
        }
        if request.param == "zip":
            path = tmp_path / "export.zip"
            with zipfile.ZipFile(path, "w") as archive:
                for name, text in contents.items():
                    archive.writestr(f"export/{name}", text)
            return path
        for name, text in contents.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(text.encode())
        return tmp_path

    return write


def read_posts(path: Path) -> list[SourcePost | UnreadablePost]:
    assert is_substack_export(path)
    export = open_substack_export(path, SETTINGS)
    posts = list(export.iter_posts())
    assert posts == list(export.iter_posts())
    assert export.list_other_items() == {"lists of subscribers": 2, "other files": 1}
    assert "ada@example.com" not in repr(posts)
    return posts


def test_everything_about_a_post_is_read(write_export: WriteExport) -> None:
    (post,) = read_posts(write_export(SPRING, **{"101_spring": "<p>The ice let go.</p>"}))
    assert post == SourcePost(
        title="Spring, \u201cnow\u201d",
        content="<p>The ice let go.</p>",
        post_id="101",
        url="https://tides.substack.com/p/spring",
        slug="spring",
        date=datetime.datetime(2026, 3, 1, 8, tzinfo=datetime.UTC),
        summary="At last",
    )


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("101.a,,false,,newsletter,everyone,A,,", {"status": "draft", "date": None}),
        ("101.a,2026-01-02,TRUE,,podcast,everyone,A,,", {"status": "published", "kind": "podcast"}),
        ("101.a,2026-01-02,true,,page,everyone,A,,", {"kind": "page"}),
        ("101.a,2026-01-02,true,,thread,everyone,A", {"kind": "thread", "summary": ""}),
    ],
)
def test_kind_and_status(
    write_export: WriteExport, row: str, expected: Mapping[str, object]
) -> None:
    (post,) = read_posts(write_export(row, **{"101_a": "<p>a</p>"}))
    assert {key: getattr(post, key) for key in expected} == expected


def test_podcast_begins_with_its_recording(write_export: WriteExport) -> None:
    row = "101.a,2026-01-02,true,,podcast,only_paid,A,,https://x.example/a.mp3"
    (post,) = read_posts(write_export(row, **{"101_a": '<p>a</p><div class="paywall-jump"></div>'}))
    assert isinstance(post, SourcePost)
    assert post.content.startswith('<figure><audio src="https://x.example/a.mp3" title="A"')
    assert [note.key for note in post.notes] == ["audience", "paywall"]


def test_posts_without_a_file_or_a_row_are_told(write_export: WriteExport) -> None:
    files = {"101_spring": "x" * 10_001, "103_extra": "<p>b</p>"}
    large, missing, extra = read_posts(
        write_export(SPRING, "102.b,,true,,newsletter,,B,,", **files)
    )
    assert isinstance(large, UnreadablePost)
    assert "10,000 bytes" in large.problem.message
    assert isinstance(missing, UnreadablePost)
    assert (missing.title, missing.problem.message) == (
        "B",
        "the text of the post is not in the export",
    )
    assert isinstance(extra, SourcePost)
    assert (extra.post_id, extra.slug, extra.content) == ("103", "extra", "<p>b</p>")


def test_damaged_row_is_told_with_its_title(write_export: WriteExport) -> None:
    rows = (SPRING, "102.b,,true,,newsletter,everyone,Fog, rain,, and wind", '103.c,,true,,,,"Wind')
    posts = read_posts(write_export(*rows, **{"101_spring": "<p>a</p>", "102_b": "<p>b</p>"}))
    assert [(post.title, isinstance(post, UnreadablePost)) for post in posts[1:]] == [
        ("Fog", True),
        ("Wind", True),
    ]


def test_drafts_without_text_are_counted(write_export: WriteExport) -> None:
    rows = ("101.a,,false,,newsletter,everyone,A,,", "102,,false,,newsletter,everyone,,,")
    export = open_substack_export(write_export(*rows, **{"101_a": "<p> </p>"}), SETTINGS)
    assert list(export.iter_posts()) == []
    assert export.list_other_items()["drafts without text"] == 2


def test_other_zip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photos.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"")
        archive.writestr("b.jpg", b"")
    assert not is_substack_export(path)
    with pytest.raises(PostError, match=r"posts\.csv is missing") as caught:
        list(open_substack_export(path, SETTINGS).iter_posts())
    assert "Files in it: 2 .jpg" in caught.value.problems[0].remedy
    (tmp_path / "x.txt").write_text("x")
    assert not is_substack_export(tmp_path / "x.txt")


def test_changed_table_is_refused(write_export: WriteExport) -> None:
    path = write_export(**{"101_a": "<p>a</p>"})
    if path.is_dir():
        (path / "posts.csv").write_text("a;b\n")
        with pytest.raises(PostError, match="the column post_id is missing"):
            list(open_substack_export(path, SETTINGS).iter_posts())


def widget(class_name: str, data: object, inside: str = "", name: str = "XToDOM") -> str:
    attributes = html.escape(json.dumps(data))
    return (
        f'<div class="{class_name}" data-attrs="{attributes}" data-component-name="{name}">'
        f"{inside}</div>"
    )


IMAGE = "https://substackcdn.com/image/fetch/w_1456,c_limit/https%3A%2F%2Fsubstack-post-media.s3.amazonaws.com%2Fa.png"
POST = {
    "canonical_url": "https://other.example/p/a",
    "title": "Knots",
    "caption": "Three of them.",
    "cover_image": "https://other.example/a.png",
    "publishedBylines": [{"name": "Ada"}],
    "publication_name": "Ropes",
}
TWEET = {
    "url": "https://twitter.com/ada/status/1",
    "full_text": "Ice!\nGone.",
    "name": "Ada",
    "username": "ada",
    "date": "Fri Jun 12",
    "photos": [{"img_url": "https://pbs.example/a.jpg"}],
    "quoted_tweet": {"full_text": "Fog", "name": "Bo"},
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            (
                f'<div class="captioned-image-container"><figure><a '
                f'class="image-link image2" href="{IMAGE}">'
                f'<div class="image2-inset"><picture><source srcset="x '
                f'424w"><img src="{IMAGE}" alt="A boat" '
                'srcset="x 424w"></picture><div '
                'class="image-link-expand"><svg></svg></div></div></a>'
                "<figcaption class='image-caption'>The <b>quay</b></figcaption></figure></div>"
            ),
            (
                f'<figure><img src="{IMAGE}" alt="A boat"><figcaption>The '
                f"<b>quay</b></figcaption></figure>"
            ),
        ),
        (
            (
                '<div class="captioned-image-container"><a class="image-link" '
                'href="https://a.example/"><img '
                'src="/b.png"></a></div>'
            ),
            '<figure><a href="https://a.example/"><img src="/b.png" alt=""></a></figure>',
        ),
        (
            widget("image3", {"src": "/c.png", "title": "Cap", "alt": "Alt"}),
            '<figure><img src="/c.png" alt="Alt"><figcaption>Cap</figcaption></figure>',
        ),
        (
            widget(
                "image-gallery-embed",
                {
                    "gallery": {
                        "images": [{"src": "/1.png"}, {"src": "/2.png"}],
                        "caption": "Two",
                        "alt": "T",
                    }
                },
            ),
            (
                '<figure class="gallery"><img src="/1.png" alt="T"><img '
                'src="/2.png" alt="T"><figcaption>Two'
                "</figcaption></figure>"
            ),
        ),
        (
            widget("digest-post-embed", POST),
            (
                '<iframe src="https://other.example/p/a" title="Knots" poster="https://other.example/a.png">'
                '</iframe><p>Three of them.</p><p class="small">Ada \u00b7 Ropes</p>'
            ),
        ),
        (
            widget(
                "embedded-publication-wrap",
                {"base_url": "https://o.example", "name": "O", "hero_text": "H"},
            ),
            '<iframe src="https://o.example" title="O"></iframe><p>H</p>',
        ),
        (
            widget("tweet", TWEET, '<div class="tweet-text">Ice!</div>'),
            (
                "<blockquote "
                'class="twitter-tweet"><p>Ice!<br>Gone.</p><blockquote><p>'
                "Fog \u2014 Bo</p></blockquote>"
                '<img src="https://pbs.example/a.jpg" alt=""><p>\u2014 Ada (@ada) <a href='
                '"https://twitter.com/ada/status/1">Fri Jun 12</a></p></blockquote>'
            ),
        ),
        (
            widget("native-video-embed", {"mediaUploadId": "ab-1", "duration": None}),
            (
                '<figure><video src="https://api.substack.com/api/v1/video/upload/ab-1/src" '
                "controls></video></figure>"
            ),
        ),
        (
            widget("native-audio-embed", {"mediaUploadId": "ab-1", "label": "Fog"}),
            (
                "<figure><audio "
                'src="https://api.substack.com/api/v1/video/upload/ab-1/src" title="Fog" controls>'
                "</audio></figure>"
            ),
        ),
        (
            widget("youtube-wrap", {"videoId": "z9T"}, '<div class="youtube-inner"></div>'),
            '<iframe src="https://www.youtube.com/embed/z9T"></iframe>',
        ),
        (
            widget("instagram", {"instagram_id": "C1", "title": "Fog", "author_name": "ada"}),
            (
                '<iframe src="https://www.instagram.com/p/C1/" '
                'title="Fog"></iframe><p class="small">ada</p>'
            ),
        ),
        (
            widget("latex-rendered", {"persistentExpression": "a_{1} < b"}),
            '<p><span class="math">a_{1} &lt; b</span></p>',
        ),
        (
            (
                '<p>By <span class="mention-wrap" '
                'data-attrs="{&quot;name&quot;:&quot;Ada&quot;,&quot;url&quot;:null}"'
                ' data-component-name="MentionToDOM"></span>.</p>'
            ),
            "<p>By Ada.</p>",
        ),
        (
            '<p class="button-wrapper"><a class="button primary" href="https://b.example/buy"><span>Buy</span></a></p>',
            '<p><a class="button" href="https://b.example/buy">Buy</a></p>',
        ),
        (
            (
                '<div class="file-embed-wrapper"><div '
                'class="file-embed-details-h1">Tides</div><div class='
                '"file-embed-details-h2">2MB \u2219 PDF file</div><a '
                'class="file-embed-button" href="/t.pdf">Download</a></div>'
            ),
            '<p><a href="/t.pdf"><strong>Tides</strong></a><br>2MB \u2219 PDF file</p>',
        ),
    ],
)
def test_widget_becomes_a_block(source: str, expected: str) -> None:
    replacer = ElementReplacer(SUBSTACK_WIDGETS)
    rewritten = rewrite_substack_widgets(unlink_pictures(source), replacer)
    assert sanitize_html(rewritten) == sanitize_html(expected)
    assert {entry.why for entry in replacer.removed} <= {REST_REASON}


@pytest.mark.parametrize(
    ("source", "text", "why"),
    [
        (
            (
                '<div class="subscription-widget-wrap-editor"><p '
                'class="cta-caption">Thanks for reading!</p>'
                '<form><input value="x"></form></div>'
            ),
            "Thanks for reading!",
            "sign-up form of Substack",
        ),
        (
            '<p class="button-wrapper"><a class="button" href="https://t.example/p/a?action=share">Share</a></p>',
            "Share https://t.example/p/a?action=share",
            "button of the blog's platform",
        ),
        (
            (
                '<div class="captioned-button-wrap"><div class="preamble"><p>Like '
                "it? Tell others.</p></div><p class="
                '"button-wrapper"><a href="https://t.example/subscribe?">Subscribe</a></p></div>'
            ),
            "Like it? Tell others. Subscribe https://t.example/subscribe?",
            "button of the blog's platform",
        ),
        (widget("poll-embed", {"id": 7}), "poll 7", "poll of Substack"),
        (widget("native-video-embed", {}), "video", "video without an address"),
        (widget("community-chat", {}, name="ChatToDOM"), "ChatToDOM", "promotion of Substack"),
        (widget("recipe", {"id": 1}, name="RecipeToDOM"), "RecipeToDOM", "widget of Substack"),
        (widget("tweet", "["), "XToDOM", "widget of Substack"),
    ],
)
def test_what_has_no_place_in_a_mail_is_listed(source: str, text: str, why: str) -> None:
    replacer = ElementReplacer(SUBSTACK_WIDGETS)
    text_before = rewrite_substack_widgets(f"<p>Before.</p>\n{source}<p>After.</p>", replacer)
    assert text_before == "<p>Before.</p>\n<p>After.</p>"
    assert [(entry.text, entry.why) for entry in replacer.removed] == [(text, why)]


def test_what_a_widget_shows_besides_is_listed() -> None:
    inside = '<img src="https://a.example/me.jpg" alt="Avatar"><p>Ice! Gone.</p><p>50 Likes</p>'
    replacer = ElementReplacer(SUBSTACK_WIDGETS)
    source = f"<p>a</p>\n{widget('tweet', TWEET, f'<style>p {{}}</style>{inside}')}"
    rewrite_substack_widgets(source, replacer)
    assert replacer.removed == [
        RemovedLine(2, "Avatar Ice! Gone. 50 Likes https://a.example/me.jpg", REST_REASON)
    ]


def test_footnotes_and_pull_quotes_stay() -> None:
    source = (
        '<div class="pullquote"><p>Tide.</p></div><div class="footnote" '
        'data-component-name="FootnoteToDOM">'
        '<a id="footnote-1" class="footnote-number" href="#footnote-anchor-1">1</a>'
        '<div class="footnote-content"><p>Note.</p></div></div>'
    )
    assert rewrite_substack_widgets(source, ElementReplacer(SUBSTACK_WIDGETS)) == source
    assert remove_note_numbers(source) == source.replace(">1</a>", "></a>")
