"""Posts of WordPress exports (WXR)."""

import codecs
import datetime
import zipfile
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import PostError
from newsletter.posts.content_loss.inventory import take_inventory
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.wordpress.export_text import is_wordpress_export
from newsletter.posts.importing.sources.wordpress.open_export import (
    WordPressExport,
    is_wordpress_zip,
    open_wordpress_export,
)
from newsletter.posts.importing.sources.zip_guard import open_zip
from newsletter.posts.removed_line import RemovedLine

SETTINGS = SourceSettings(ZoneInfo("Europe/Berlin"), "en", 100_000)
HARBOUR_NOTES = Path(__file__).parent / "harbour-notes.xml"
HEAD = """\
<?xml version="1.0" encoding="UTF-8" ?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
xmlns:content="http://purl.org/rss/1.0/modules/content/"
xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/">
<channel><wp:wxr_version>1.2</wp:wxr_version><wp:base_blog_url>https://a.example</wp:base_blog_url>
"""
END = "\n</channel></rss>"
LOCAL_DATE = "<wp:post_date>2026-07-01 12:00:00</wp:post_date>"
LOCAL_CHANGE = "<wp:post_modified>2026-07-02 12:00:00</wp:post_modified>"
VIDEO = '<iframe src="https://www.youtube.com/embed/aBcDeFgHiJk"></iframe>'


def make_item(content: str = "Fog.", title: str = "Tide", fields: str = "") -> str:
    """Return an item; ``fields`` come first, and the first of a name counts."""
    return (
        f"<item>{fields}<title><![CDATA[{title}]]></title><wp:post_id>7</wp:post_id>"
        "<wp:status>publish</wp:status><wp:post_type>post</wp:post_type>"
        f"<content:encoded><![CDATA[{content}]]></content:encoded></item>"
    )


def make_upload(number: int, name: str, fields: str = "") -> str:
    """Return an item of an uploaded file."""
    return (
        f"<item><title>{name}</title><wp:post_id>{number}</wp:post_id>{fields}"
        "<wp:status>inherit</wp:status><wp:post_type>attachment</wp:post_type>"
        f"<wp:attachment_url>https://a.example/{name}</wp:attachment_url></item>"
    )


def open_files(
    folder: Path, *files: str | bytes, settings: SourceSettings = SETTINGS
) -> WordPressExport:
    """Write files of an export, and open them."""
    paths = [folder / f"{number}.xml" for number in range(len(files))]
    for path, file in zip(paths, files, strict=True):
        path.write_bytes(file if isinstance(file, bytes) else file.encode())
    return open_wordpress_export(paths, settings)


def read_posts(folder: Path, items: str, settings: SourceSettings = SETTINGS) -> list[SourcePost]:
    """Return the posts of an export of these items, all of which can be read."""
    posts = list(open_files(folder, HEAD + items + END, settings=settings).iter_posts())
    assert all(isinstance(post, SourcePost) for post in posts)
    return [post for post in posts if isinstance(post, SourcePost)]


def read_content(folder: Path, content: str, others: str = "") -> SourcePost:
    """Return the only post of an export that has other items, too."""
    (post,) = read_posts(folder, make_item(content) + others)
    return post


def test_settings_of_a_post() -> None:
    export = open_wordpress_export([HARBOUR_NOTES], SETTINGS)
    post, blocks = export.iter_posts()
    assert isinstance(post, SourcePost)
    assert isinstance(blocks, SourcePost)
    expected = SourcePost(
        title="Low tide & fog",
        post_id="https://harbournotes.example/?p=11",
        url="https://harbournotes.example/2026/11/low-tide/",
        slug="low-tide",
        date=datetime.datetime(2026, 11, 20, 0, 30, tzinfo=datetime.UTC),
        author="Ada Lind",
        tags=("Tides", "Fog & rain"),
        language="en-GB",
        summary='Why the quay is "dry".',
        preheader="The driest quay.",
        hero="https://harbournotes.example/wp-content/boat.jpg",
        hero_alt="A red boat",
    )
    same = replace(post, content="", original="", removed=(), notes=())
    assert same == expected
    assert str(post.date) == "2026-11-20 01:30:00+01:00"
    assert [(note.key, note.text) for note in post.notes] == [
        ("series", "'Winter' was not imported")
    ]
    assert blocks.author == "guest"
    assert export.description == "WordPress export"
    assert export.list_other_items() == {
        "comments": 1, "uploaded files": 2, "reusable blocks": 1,
    }  # fmt: skip
    assert list(export.iter_posts()) == [post, blocks]


def test_everything_is_shown_or_listed() -> None:
    post, blocks = open_wordpress_export([HARBOUR_NOTES], SETTINGS).iter_posts()
    assert isinstance(post, SourcePost)
    assert isinstance(blocks, SourcePost)
    assert [(entry.line, entry.text, entry.why) for entry in post.removed] == [
        (24, "<!--more-->", "read-more marker of WordPress"),
        (26, '[caption id="attachment_31" align="alignright" width="300"] [/caption]',
         "WordPress shortcode caption, now a figure"),
        (28, '[gallery ids="32,31,99"]',
         "WordPress shortcode gallery, now 2 pictures; 1 picture of it isn't in the export"),
        (30, "https://youtu.be/aBcDeFgHiJk", "URL alone on its line, now a video"),
        (32, '[tide_table port="Lee"]', "WordPress shortcode tide_table"),
        (32, "[/tide_table]", "WordPress shortcode tide_table"),
        (34, '[sourcecode language="python"]', "WordPress shortcode sourcecode, now code"),
        (38, "[/sourcecode]", "WordPress shortcode sourcecode, now code"),
    ]  # fmt: skip
    words = take_inventory(sanitize_html(post.content), "email").words
    assert " ".join(words) == (
        "the quay is dry nobody knows why mud the quay at six a red boat low water high at noon "
        "write gallery for pictures if tide 2 print dry"
    )
    assert [entry.text for entry in blocks.removed] == [
        "https://youtu.be/aBcDeFgHiJk",
        "latest-posts More <em>of it</em>",
    ]
    words = take_inventory(sanitize_html(blocks.content), "email").words
    assert " ".join(words) == (
        "tides turn 1 twice a day come and see slack water is an idea ada moon a film "
        "gallery ids 31 not here"
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a\nb\n\nc", "<p>a<br>\nb</p>\n\n<p>c</p>"),
        ("<!-- wp:paragraph -->\n<p>a\nb</p>\n<!-- /wp:paragraph -->", "<p>a\nb</p>"),
        # The classic editor's text between blocks.
        ("a\n\nb\n<!-- wp:separator --><hr><!-- /wp:separator -->", "<p>a</p>\n\n<p>b</p>\n<hr>"),
        ("<!-- wp:acme/box --><div>a\n\nb</div><!-- /wp:acme/box -->", "<div>a\n\nb</div>"),
        ("a<!--more Read on-->b<!--nextpage-->c<!--noteaser-->", "<p>abc</p>"),
        ("<!-- wp:more -->\n<!--more-->\n<!-- /wp:more -->\n<!-- wp:x /-->a", "<p>a</p>"),
        ('<!-- wp:social-link {"url":"https://b.example/?a&b","service":"x"} /-->',
         '<p><a href="https://b.example/?a&amp;b">x</a></p>'),
        ("[[gallery ids='1']]", "<p>&#91;gallery ids='1']</p>"),
        ("[acme_box color='red']a\n\nb[/acme_box]", "<p>a</p>\n\n<p>b</p>"),
        ("[cc lang='html']<b>a</b>\n\n&amp;[/cc]",
         '<pre><code class="language-html">&lt;b&gt;a&lt;/b&gt;\n\n&amp;amp;</code></pre>'),
        ("[code]&lt;b&gt;[/code]", "<pre><code>&lt;b&gt;</code></pre>"),
        ("[ccne_php]echo 1;[/ccne_php]",
         '<pre><code class="language-php">echo 1;</code></pre>'),
        ('<pre lang="html">\n<b>a</b>\n\n</pre>',
         '<pre><code class="language-html">&lt;b&gt;a&lt;/b&gt;\n\n</code></pre>'),
        ('<code lang="HTML">\n<b>a</b>\n\n</code>',
         '<pre><code class="language-html">&lt;b&gt;a&lt;/b&gt;\n\n</code></pre>'),
        ('<pre lang="html" escaped="true">&lt;<b>a</b></pre>',
         '<pre><code class="language-html">&lt;<b>a</b></code></pre>'),
        ("[sic] and [1]", "<p>[sic] and [1]</p>"),
        ("a\nhttps://youtu.be/aBcDeFgHiJk\nb", f"<p>a</p>\n{VIDEO}\n<p>b</p>"),
        ("<p>https://youtu.be/aBcDeFgHiJk</p>", f"<p>{VIDEO}</p>"),
        ("[embed width='5']https://youtu.be/aBcDeFgHiJk[/embed]", VIDEO),
        ("https://b.example/?a&amp;b",
         '<p><a href="https://b.example/?a&amp;b">https://b.example/?a&amp;b</a></p>'),
        ("See https://b.example", "<p>See https://b.example</p>"),
        ("<pre>\nhttps://b.example\n</pre>", "<pre>\nhttps://b.example\n</pre>"),
        ('[video mp4="https://b.example/a.mp4"][/video]',
         '<p><video src="https://b.example/a.mp4" controls></video></p>'),
        ("[audio https://b.example/a.mp3|titles=A]",
         '<p><audio src="https://b.example/a.mp3" controls></audio></p>'),
        ('<a href="/b">a</a> <code>&lt;a href="/b"&gt;</code>',
         '<p><a href="https://a.example/b">a</a> <code>&lt;a href="/b"&gt;</code></p>'),
        ('<img src="../wp-content/a.jpg"> <a href="../b">c</a>',
         '<p><img src="https://a.example/wp-content/a.jpg"> <a href="../b">c</a></p>'),
        ('<a href="//b.example/c">d</a>', '<p><a href="//b.example/c">d</a></p>'),
        ("a <![CDATA[b", "<p>a &lt;![CDATA[b</p>"),
    ],
)  # fmt: skip
def test_content(tmp_path: Path, content: str, expected: str) -> None:
    assert read_content(tmp_path, content).content == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('[gallery ids="1,2"]', ["a.jpg", "b-scaled.jpg"]),
        ("[gallery]", ["b-scaled.jpg", "a.jpg"]),
        ('[gallery exclude="2"]', ["a.jpg"]),
        ('[playlist ids="3"]', ["c.mp3"]),
        ('[gallery ids="9"]', []),
        ("<img src='https://a.example/a-30x20.jpg'>", ["a.jpg"]),
        ("<img src='http://www.a.example/a-30x20.jpg?w=3'>", ["a.jpg"]),
        ("<img src='https://cdn.example/b-30x20.jpg' class='wp-image-2 x'>", ["b-scaled.jpg"]),
        ("<img src='https://cdn.example/b.jpg' class='wp-image-2'>", ["b.jpg"]),
        ("<img src='https://a.example/a-30x20.jpg' class='wp-image-2'>", ["a.jpg"]),
        ("<img src='https://a.example/d-30x20.jpg'>", ["d-30x20.jpg"]),
    ],
)
def test_uploaded_files(tmp_path: Path, content: str, expected: list[str]) -> None:
    parent = "<wp:post_parent>7</wp:post_parent>"
    others = (
        make_upload(1, "a.jpg", f"{parent}<wp:menu_order>2</wp:menu_order>")
        + make_upload(2, "b-scaled.jpg", f"{parent}<wp:menu_order>1</wp:menu_order>")
        + make_upload(3, "c.mp3", parent)
    )
    html = read_content(tmp_path, content, others).content
    references = take_inventory(html, "email").references
    names = [entry.urls[0].rpartition("/")[2] for entry in references]
    assert names == expected


def test_only_blocks_that_the_blog_fills_in_are_listed(tmp_path: Path) -> None:
    post = read_content(
        tmp_path,
        '<!-- wp:paragraph /-->a\n<!-- wp:acme/rating {"label":"Very good","stars":5} /-->',
    )
    assert post.removed == (
        RemovedLine(
            7, "acme/rating Very good", "WordPress block acme/rating, which the blog fills in"
        ),
    )


def test_galleries_make_no_post_too_large(tmp_path: Path) -> None:
    parent = "<wp:post_parent>7</wp:post_parent>"
    others = "".join(make_upload(number, f"{number}.jpg", parent) for number in range(20, 620))
    post = read_content(tmp_path, "[gallery]\n\n" * 9, others)
    assert len(post.content) <= SETTINGS.max_post_bytes
    assert {entry.why for entry in post.removed} == {
        "WordPress shortcode gallery, now 600 pictures",
        "WordPress shortcode gallery, with which the post would be too large",
    }


def test_attachments_of_another_file_are_found(tmp_path: Path) -> None:
    thumbnail = (
        "<wp:postmeta><wp:meta_key>_thumbnail_id</wp:meta_key><wp:meta_value>5</wp:meta_value>"
        "</wp:postmeta>"
    )
    files = (HEAD + make_item(fields=thumbnail) + END, HEAD + make_upload(5, "a.jpg") + END)
    (post,) = open_files(tmp_path, *files).iter_posts()
    assert isinstance(post, SourcePost)
    assert post.hero == "https://a.example/a.jpg"
    (post,) = open_files(tmp_path, files[0]).iter_posts()
    assert isinstance(post, SourcePost)
    assert post.notes[0].text == "the featured image 5 isn't in the export"


def make_reusable_block(number: int, content: str) -> str:
    """Return an item of a reusable block."""
    fields = f"<wp:post_id>{number}</wp:post_id><wp:post_type>wp_block</wp:post_type>"
    return make_item(content, fields=fields)


@pytest.mark.parametrize(
    ("blocks", "expected", "why"),
    [
        ({1: "One"}, "One", ""),
        ({1: 'One <!-- wp:block {"ref":2} /-->', 2: "two"}, "One two", ""),
        ({}, "", "reusable block that isn't in the export"),
        ({1: 'One <!-- wp:block {"ref":1} /-->'}, "One", "reusable block that holds itself"),
        ({1: "x" * 99_990}, "", "reusable block, with which the post would be too large"),
        ({1: '<!-- wp:block {"ref":2} /-->' * 9, 2: "x" * 30_000}, None,
         "reusable block, with which the post would be too large"),
    ],
)  # fmt: skip
def test_reusable_blocks(
    tmp_path: Path, blocks: dict[int, str], expected: str | None, why: str
) -> None:
    others = "".join(make_reusable_block(*block) for block in blocks.items())
    post = read_content(tmp_path, '<!-- wp:block {"ref":1} /-->', others)
    if expected is not None:
        assert take_inventory(post.content, "html").text.split() == expected.split()
    assert len(post.content) <= SETTINGS.max_post_bytes
    assert {entry.why for entry in post.removed} == ({why} if why else set())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("<wp:status>publish</wp:status>", "published"),
        ("<wp:status>future</wp:status>", "scheduled"),
        ("<wp:status>pending</wp:status>", "draft"),
        ("<wp:status>private</wp:status>", "private"),
        ("<wp:status>in-review</wp:status>", "draft"),
        ("<wp:post_password>x</wp:post_password>", "private"),
        ("<wp:status>trash</wp:status>", "1 posts in the trash"),
        ("<wp:status>auto-draft</wp:status>", "1 drafts without text"),
        ("<wp:post_type>nav_menu_item</wp:post_type>", "1 menu items"),
        ("<wp:post_type>product</wp:post_type><content:encoded/>",
         "1 items of the type 'product' without text"),
    ],
)  # fmt: skip
def test_status(tmp_path: Path, fields: str, expected: str) -> None:
    export = open_files(tmp_path, HEAD + make_item(fields=fields) + END)
    found = [str(post.status) for post in export.iter_posts() if isinstance(post, SourcePost)]
    found += [f"{count} {kind}" for kind, count in export.list_other_items().items()]
    assert found == [expected]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("<wp:post_date_gmt>2026-07-01 12:00:00</wp:post_date_gmt>", "2026-07-01 14:00:00+02:00"),
        (f"<wp:post_date_gmt>0000-00-00 00:00:00</wp:post_date_gmt>{LOCAL_DATE}",
         "2026-07-01 12:00:00+02:00"),
        (f"<wp:status>draft</wp:status>{LOCAL_DATE}{LOCAL_CHANGE}", "2026-07-02 12:00:00+02:00"),
        (f"{LOCAL_DATE}{LOCAL_CHANGE}", "2026-07-01 12:00:00+02:00"),
        ("<wp:post_date>1970-01-01 00:00:00</wp:post_date>", "None"),
        ("<wp:post_date_gmt>9999-12-31 23:59:59</wp:post_date_gmt>", "None"),
        ("<pubDate>Wed, 30 Nov -0001 00:00:00 +0000</pubDate>", "None"),
        ("<pubDate>Wed, 01 Jul 2026 12:00:00 +0000</pubDate>", "2026-07-01 14:00:00+02:00"),
        ("<pubDate>Thu, 01 Jan 1970 00:00:00 +0000</pubDate>", "None"),
    ],
)  # fmt: skip
def test_date(tmp_path: Path, fields: str, expected: str) -> None:
    (post,) = read_posts(tmp_path, make_item(fields=fields))
    assert str(post.date) == expected


def test_slug_is_decoded(tmp_path: Path) -> None:
    fields = "<wp:post_name>%e6%bd%ae-low%2Ftide</wp:post_name>"
    (post,) = read_posts(tmp_path, make_item(fields=fields))
    assert post.slug == "\u6f6e-low/tide"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Fish &amp; chips", "Fish & chips"),
        ("A <em>dry</em>  quay", "A dry quay"),
        ("1 < 2 &lt;b&gt;", "1 < 2 <b>"),
        ("A\x9dquay&#10;at six", "A quay at six"),
        ("", ""),
    ],
)
def test_title(tmp_path: Path, title: str, expected: str) -> None:
    (post,) = read_posts(tmp_path, make_item(title=title))
    assert post.title == expected


def test_kinds_and_terms(tmp_path: Path) -> None:
    categories = (
        "<category><![CDATA[Sea]]></category>"  # as WXR 1.0 has it, with and without its taxonomy
        '<category domain="category" nicename="sea"><![CDATA[Sea]]></category>'
        '<category domain="category" nicename="allgemein"><![CDATA[Allgemein]]></category>'
        '<category domain="language" nicename="de"><![CDATA[Deutsch]]></category>'
    )
    (post,) = read_posts(
        tmp_path, make_item(fields=f"<wp:post_type>product</wp:post_type>{categories}")
    )
    assert (post.kind, post.tags, post.language) == ("product", ("Sea",), "de")


@pytest.mark.parametrize(
    "content",
    ["A ]]]]><![CDATA[> b", "A ]]> b", "A <p>x</p> ]]> <p>b"],
)
def test_cdata_that_holds_its_own_end(tmp_path: Path, content: str) -> None:
    post = read_content(tmp_path, content)
    assert post.original == content.replace("]]]]><![CDATA[>", "]]>")
    assert not post.notes


def test_damage_is_repaired_and_noted(tmp_path: Path) -> None:
    data = (HEAD + make_item("A\x0b b\x00c") + make_item("H\u00e9 x", "B") + END).encode()
    data = data.replace("\u00e9".encode(), b"\xe9")
    first, second = open_files(tmp_path, b"\n\n" + data).iter_posts()
    assert isinstance(first, SourcePost)
    assert isinstance(second, SourcePost)
    assert (first.original, second.original) == ("A bc", "H\u00e9 x")
    assert first.notes[0].text == "2 control characters removed, which XML doesn't allow"
    assert second.notes[0].text == "1 byte read as Windows-1252: not in the file's encoding"


def test_broken_xml_of_one_item_is_noted_there(tmp_path: Path) -> None:
    broken = make_item(fields="<wp:x>a & b</wp:x>", title="A")
    first, second = read_posts(tmp_path, broken + make_item(title="B"))
    assert (first.title, first.content, second.notes) == ("A", "<p>Fog.</p>", ())
    assert "0.xml:6: the XML is damaged, compare with the blog" in first.notes[0].text


@pytest.mark.parametrize(
    ("encode", "declared"),
    [
        (lambda text: codecs.BOM_UTF8 + text.encode(), "UTF-8"),
        (lambda text: text.encode("utf-16"), "UTF-16"),
        (lambda text: text.encode("cp1252"), "ISO-8859-1"),
        (lambda text: text.replace("\n", "\r\n").encode(), "utf-8"),
    ],
)
def test_encodings(tmp_path: Path, encode: object, declared: str) -> None:
    assert callable(encode)
    text = (HEAD + make_item("H\u00e9\nx") + END).replace("UTF-8", declared)
    data = encode(text)
    assert is_wordpress_export(data)
    (post,) = open_files(tmp_path, data).iter_posts()
    assert isinstance(post, SourcePost)
    assert (post.original, post.notes) == ("H\u00e9\nx", ())


@pytest.mark.parametrize(
    ("tail", "title", "message"),
    [
        (make_item(title="B")[:-40], "B", "the export breaks off in this post"),
        ("", "the end of 0.xml", "the export breaks off after 'A': posts may be missing"),
        (make_item("x" * 100_001, "B") + END, "B", "the post has more than 100,000 bytes"),
        (make_item("x" * 2_100_000, "B") + END, "B", "the post has more than 100,000 bytes"),
        (make_item("x" * 2_100_000, "B")[:-9], "B", "the post has more than 100,000 bytes"),
        (make_item(title="B").replace("<![CDATA[B]]>", "B <b>", 1) + END, "B <b>",
         "the XML of this post can't be read"),
    ],
)  # fmt: skip
def test_unreadable_posts_stop_no_other(
    tmp_path: Path, tail: str, title: str, message: str
) -> None:
    first, second = open_files(tmp_path, HEAD + make_item(title="A") + tail).iter_posts()
    assert first.title == "A"
    assert isinstance(second, UnreadablePost)
    assert (second.title, second.problem.message) == (title, message)


def test_a_text_beyond_the_limit_of_the_parser_is_refused(tmp_path: Path) -> None:
    settings = replace(SETTINGS, max_post_bytes=20_000_000)
    items = make_item("x" * 10_000_001, "A") + make_item(title="B")
    first, second = open_files(tmp_path, HEAD + items + END, settings=settings).iter_posts()
    assert isinstance(first, UnreadablePost)
    assert first.problem.message == "the post has more than 10,000,000 bytes"
    assert second.title == "B"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<?xml version='1.0'?><!DOCTYPE rss [<!ENTITY a 'b'>]><rss></rss>",
         "the export has a document type declaration"),
        ("<html></html>", "this isn't an export of WordPress"),
        ("", "this isn't an export of WordPress"),
    ],
)  # fmt: skip
def test_refused_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PostError, match=message):
        list(open_files(tmp_path, text).iter_posts())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("http://wordpress.org/export/1.2/", "http://wordpress.org/export/1.0/"),
        ("http://wordpress.org/export/", "https://wordpress.org/export/"),
        (' xmlns:content="http', ' xmlns:other="http'),  # other tools forget some
        ("1.2</wp:wxr_version>", "1.1</wp:wxr_version>"),
    ],
)
def test_namespaces_and_versions(tmp_path: Path, old: str, new: str) -> None:
    export = open_files(tmp_path, (HEAD + make_item() + END).replace(old, new))
    (post,) = export.iter_posts()
    assert isinstance(post, SourcePost)
    assert (post.title, post.content) == ("Tide", "<p>Fog.</p>")
    assert export.description == "WordPress export"


def test_an_unknown_version_is_named(tmp_path: Path) -> None:
    export = open_files(tmp_path, HEAD.replace(">1.2<", ">2.0<") + END)
    assert export.description == "WordPress export (version 2.0, read as 1.2)"
    assert list(export.iter_posts()) == []


def test_zip_of_several_files(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("readme.xml", "older.zip", "__MACOSX/a.xml"):
            archive.writestr(name, "<a/>")
        for name in ("b.xml", "a.xml"):
            archive.writestr(name, HEAD + make_item(title=name) + END)
    export = open_wordpress_export([path], SETTINGS)
    assert [post.title for post in export.iter_posts()] == ["a.xml", "b.xml"]
    assert export.list_other_items() == {"other files": 2}
    with open_zip(path, max_total_bytes=9_999, max_entry_bytes=9_999) as folder:
        assert is_wordpress_zip(folder)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (HEAD.encode(), True),
        (b"<rss><channel><generator>https://wordpress.org/?v=6.8</generator>", False),  # a feed
        (b"", False),
    ],
)
def test_is_wordpress_export(head: bytes, expected: bool) -> None:
    assert is_wordpress_export(head) is expected
