"""Each format of feeds, and each way in which feeds in the wild are wrong."""

import datetime
import html
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter.errors import PostError
from newsletter.posts.importing.source_post import SourcePost, SourceSettings, UnreadablePost
from newsletter.posts.importing.sources.feeds.feed import Feed, NotAFeedError
from newsletter.posts.importing.sources.feeds.parse_feed import (
    MAX_FEED_POSTS,
    is_feed,
    open_feed_file,
    parse_feed,
)

URL = "https://harbour.example/blog/feed.xml"
SETTINGS = SourceSettings(ZoneInfo("Europe/Berlin"), "en", 100_000)
ATOM = 'xmlns="http://www.w3.org/2005/Atom"'
NAMESPACES = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"'
)
LONG = "<p>" + "The tide comes in twice a day, and leaves. " * 20 + "</p>"


HOME = "https://harbour.example"
LONG_CONTENT = f"<content:encoded>{html.escape(LONG)}</content:encoded>"
LONG_DESCRIPTION = f"<description>{html.escape(LONG)}</description>"
ZOE = "<title>Zoë’s</title><link>/a</link>"
PICTURE = (
    "<media:content url='https://a.example/v.png' medium='image'>"
    "<media:description>Caption of it</media:description></media:content>"
)
READ_ON = "<p>Two tides. <a href='https://a.example/'>Continue reading <span>Tide</span> →</a></p>"


def rss(*items: str, head: str = "<link>https://harbour.example/</link>") -> str:
    body = "".join(f"<item>{item}</item>" for item in items)
    return (
        f'<rss version="2.0" {NAMESPACES}><channel><title>Notes</title>{head}{body}</channel></rss>'
    )


def atom(*entries: str, head: str = "") -> str:
    return f"<feed {ATOM}>{head}{''.join(f'<entry>{entry}</entry>' for entry in entries)}</feed>"


def read(source: str | bytes, content_type: str = "") -> Feed:
    data = source if isinstance(source, bytes) else source.encode()
    headers = {"Content-Type": content_type} if content_type else {}
    return parse_feed(data, url=URL, headers=headers, settings=SETTINGS)


def read_post(source: str | bytes, content_type: str = "") -> SourcePost:
    (post,) = read(source, content_type).posts
    assert isinstance(post, SourcePost), post
    return post


RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns="http://purl.org/rss/1.0/"><channel><title>N</title></channel>'
    '<item rdf:about="https://harbour.example/tide"><title>Low tide</title>'
    "<link>https://harbour.example/tide</link><description>Sand.</description></item></rdf:RDF>"
)
RSS_ITEM = "<title>Low tide</title><link>/tide</link><description>Sand.</description>"
NETSCAPE = (
    '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" '
    '"http://my.netscape.com/publish/formats/rss-0.91.dtd">'
    f'<rss version="0.91"><channel><item>{RSS_ITEM}</item></channel></rss>'
)
CDF = (
    '<CHANNEL HREF="https://harbour.example/"><TITLE>N</TITLE>'
    '<ITEM HREF="https://harbour.example/tide"><TITLE>Low tide</TITLE>'
    "<ABSTRACT>Sand.</ABSTRACT></ITEM></CHANNEL>"
)


@pytest.mark.parametrize(
    "source",
    [
        rss(RSS_ITEM),
        f'<rss version="0.91"><channel><title>N</title><item>{RSS_ITEM}</item></channel></rss>',
        NETSCAPE,
        RDF,
        atom(
            '<title>Low tide</title><link href="https://harbour.example/tide"/>'
            "<summary>Sand.</summary>"
        ),
        CDF,
        json.dumps(
            {
                "version": "https://jsonfeed.org/version/1",
                "items": [{"id": 7, "url": "/tide", "title": "Low tide", "content_text": "Sand."}],
            }
        ),
        f"\n\n<?xml version='1.0'?><!-- made by hand -->{rss(RSS_ITEM)}",
        f"<?xml version='1.1'?>{rss(RSS_ITEM)}",
    ],
    ids=["rss2", "rss091", "netscape", "rdf", "atom", "cdf", "json", "late start", "xml 1.1"],
)
def test_each_format_is_recognized_and_read(source: str) -> None:
    assert is_feed(source.encode()[:4000])
    post = read_post(source)
    assert (post.title, post.url) == ("Low tide", "https://harbour.example/tide")
    assert "Sand." in post.content


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "the feed is empty"),
        (b" \n ", "the feed is empty"),
        (b"\x1f\x8b\x08\x00rest", "compressed"),
        (b"<!DOCTYPE html><html><head><title>Blog</title>", "a web page, not a feed"),
        (b"Hello", "neither a web page nor a feed"),
        (b'{"posts": []}', "neither a web page nor a feed"),
        (b"%PDF-1.7\n%\xe2\xe3", "this is a PDF"),
        (b"\x89PNG\r\n\x1a\n", "this is an image"),
        (b"RIFF\x24\0\0\0WEBPVP8 ", "this is an image"),
        (b"\0\0\0\x20ftypavif", "this is an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "this is an image"),
        (b"\0\0\0\x20ftypisom", "this is a recording"),
        (b"ID3\x04\0", "this is a recording"),
        (b"PK\x03\x04posts.csv", "this is a ZIP"),
        (b"PK\x03\x04[Content_Types].xml", "this is a word processor's document"),
        (b"<?xml version='1.0'?><urlset/>", "this is a sitemap"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1",', "cut off"),
        (b'{"version": "https://jsonfeed.org/version/1.1"}', "no list of items"),
        (
            b'{"version": "https://jsonfeed.org/version/1.1","items":' + b"[" * 99_999,
            "can't be read",
        ),
        (b'<!DOCTYPE rss [<!ENTITY a "aaa">]><rss><channel/></rss>', "declares entities"),
        (b'<!--<a>--><!doctype rss [\n<!entity % a "b">]><rss/>', "declares entities"),
        (b'<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel/></rss>', "of WordPress"),
        (b'<rdf:RDF xmlns:foaf="http://xmlns.com/foaf/0.1/"></rdf:RDF>', "nor a feed"),
    ],
)
def test_what_is_not_a_feed_says_so(source: bytes, words: str) -> None:
    with pytest.raises(PostError, match=words) as caught:
        read(source)
    assert URL in str(caught.value)
    assert caught.value.problems[0].remedy or not isinstance(caught.value, NotAFeedError)


def test_page_is_kept_to_look_for_the_feeds_that_it_names() -> None:
    page = '<html><link rel="alternate" type="application/rss+xml" href="/feed.xml"></html>'
    with pytest.raises(NotAFeedError) as caught:
        read(page)
    assert caught.value.page == page


@pytest.mark.parametrize(
    ("source", "content_type"),
    [
        (f"<?xml version='1.0' encoding='utf-8'?>{rss(ZOE)}".encode(), ""),
        (rss(ZOE).encode(), "text/xml; charset=iso-8859-1"),
        (rss(ZOE).encode("cp1252"), 'text/xml; charset="windows-1252"'),
        (f"<?xml version='1.0' encoding='windows-1252'?>{rss(ZOE)}".encode("cp1252"), "text/xml"),
        (rss(ZOE).encode("utf-16"), ""),
        (rss(ZOE).encode("utf-16-le"), ""),
        (b"\xef\xbb\xbf" + rss(ZOE).encode(), ""),
    ],
)
def test_encoding_is_found_whatever_the_server_says(source: bytes, content_type: str) -> None:
    assert is_feed(source[:4000])
    feed = read(source, content_type)
    assert (feed.posts[0].title, feed.remarks) == ("Zoë’s", ())


def test_broken_characters_are_listed_with_their_post() -> None:
    feed = read(
        rss("<title>Zoë’s été — naïveté</title><link>/a</link>").encode() + b"<!-- \xff -->"
    )
    assert "broken" in feed.remarks[0]
    post = read_post(
        rss("<title>Zoë’s</title><description>été à XX ü</description>")
        .encode()
        .replace(b"XX", b"\xff")
    )
    assert [note.key for note in post.notes] == ["text"]


def test_control_characters_are_removed() -> None:
    feed = read(rss("<title>A\x0b&#x1;&#11;B</title><link>/a</link>"))
    assert feed.posts[0].title == "AB"
    assert feed.remarks == ("control characters in it were removed",)


@pytest.mark.parametrize("reference", ["&#99999999999;", "&#x110000;", "&#1114112;"])
def test_impossible_reference_stops_nothing(reference: str) -> None:
    feed = read(rss(f"<title>A {reference}</title><link>/a</link>", RSS_ITEM) + "<x")
    assert [post.title for post in feed.posts] == ["A \ufffd", "Low tide"]


@pytest.mark.parametrize(
    ("source", "titles"),
    [
        (rss(RSS_ITEM, "<title>High tide</title><description>W")[:-25], ["Low tide", "High tide"]),
        (rss(RSS_ITEM)[:-12], ["Low tide", "(the end of the feed)"]),
        (
            atom("<title>Low tide</title><link href='/a'/>")[:-7] + "<entry><title>High",
            ["Low tide", "High"],
        ),
        (RDF[:-10], ["Low tide", "(the end of the feed)"]),
    ],
)
def test_feed_that_is_cut_off_lists_its_last_post_as_unreadable(
    source: str, titles: list[str]
) -> None:
    *whole, last = read(source).posts
    assert [post.title for post in (*whole, last)] == titles
    assert all(isinstance(post, SourcePost) for post in whole)
    assert isinstance(last, UnreadablePost)
    assert "cut off" in str(last.problem)


def test_feed_that_is_not_well_formed_is_read_with_a_remark() -> None:
    feed = read(rss("<title>A & B</title><description>x &nbsp; y</description><link>/a</link>"))
    assert feed.posts[0].title == "A & B"
    assert "isn't well-formed XML (line 1)" in feed.remarks[0]


@pytest.mark.parametrize(
    ("markup", "title"),
    [
        ("A &amp; B", "A & B"),
        ("A &amp;amp; B", "A & B"),
        ("A &amp;amp;amp; B", "A &amp; B"),  # unescaped once, not until nothing is left
        ("A &amp;lt;b&amp;gt; &amp;amp; C", "A <b> & C"),
        ("&lt;b&gt;Low&lt;/b&gt; tide", "Low tide"),
        ("The &lt;main&gt; element", "The <main> element"),
        ("<![CDATA[Gulls &#8217;n&#8217; terns]]>", "Gulls ’n’ terns"),
        ("  two\n lines ", "two lines"),
    ],
)
def test_title_is_plain_text(markup: str, title: str) -> None:
    assert read_post(rss(f"<title>{markup}</title><link>/a</link>")).title == title


@pytest.mark.parametrize(
    ("kind", "markup", "title"),
    [
        ("text", "AT&amp;T &lt;x&gt;", "AT&T <x>"),
        ("html", "&lt;i&gt;Low&lt;/i&gt; AT&amp;amp;T", "Low AT&T"),
        ("xhtml", '<div xmlns="http://www.w3.org/1999/xhtml"><i>Low</i> &lt;x></div>', "Low <x>"),
    ],
)
def test_title_of_atom_has_a_type(kind: str, markup: str, title: str) -> None:
    source = atom(f'<title type="{kind}">{markup}</title><link href="/a"/>')
    assert read_post(source).title == title


def test_links_are_made_absolute_with_the_base_that_counts() -> None:
    body = html.escape(
        '<a href="b.html">b</a><a href="#n">n</a>'
        '<img src=/i.png srcset="s.png 1x, //cdn.example/t.png 2x">'
    )
    post = read_post(rss(f"<link>2026/tide/</link><description>{body}</description>"))
    assert post.url == "https://harbour.example/2026/tide/"
    assert 'href="https://harbour.example/2026/tide/b.html"' in post.content
    assert 'href="#n"' in post.content
    assert 'src="https://harbour.example/i.png"' in post.content
    assert (
        "https://harbour.example/2026/tide/s.png 1x, https://cdn.example/t.png 2x" in post.content
    )


@pytest.mark.parametrize(
    ("link", "attribute", "expected"),
    [
        ("https://harbour.example/2026/tide", "", "https://harbour.example/2026/i.png"),
        ("https://www.harbour.example/2026/tide", "", "https://www.harbour.example/2026/i.png"),
        # A link to another site is what the post is about, not where it is.
        ("https://elsewhere.example/gulls", "", "https://harbour.example/blog/i.png"),
        (
            "https://harbour.example/a",
            'xml:base="https://cdn.example/x/"',
            "https://cdn.example/x/i.png",
        ),
        ("https://harbour.example/a", 'xml:base="/y/"', "https://harbour.example/y/i.png"),
    ],
)
def test_base_of_a_post(link: str, attribute: str, expected: str) -> None:
    content = f'<content type="html" {attribute}>&lt;img src="i.png"&gt;</content>'
    post = read_post(atom(f'<title>A</title><link href="{link}"/>{content}'))
    assert f'src="{expected}"' in post.content


def test_markup_of_xhtml_becomes_html() -> None:
    content = (
        '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>a<br/>b &lt; c'
        '<img src="https://a.example/i.png" alt="x &amp; y"/></p></div></content>'
    )
    post = read_post(atom(f"<title>A</title>{content}"))
    assert post.content == '<p>a<br>b &lt; c<img src="https://a.example/i.png" alt="x &amp; y"></p>'


@pytest.mark.parametrize(
    ("item", "content", "is_teaser"),
    [
        (f"<description>Short…</description>{LONG_CONTENT}", LONG, False),
        (f"{LONG_CONTENT}<description>Short…</description>", LONG, False),
        (LONG_DESCRIPTION, LONG, False),
        (f"{LONG_DESCRIPTION}{PICTURE}", LONG, False),
        (f"{PICTURE}{LONG_DESCRIPTION}", LONG, False),
        ("<description>Two tides [&#8230;]</description>", "<p>Two tides […]</p>", True),
        (f"<description>{html.escape(READ_ON)}</description>", READ_ON, True),
        ("<description>A short summary.</description>", "<p>A short summary.</p>", True),
        ("<description><![CDATA[<p>a</p><pre>b</pre>]]></description>", None, False),
        ("", "", True),
    ],
)
def test_whole_text_and_teaser_are_told_apart(
    item: str, content: str | None, is_teaser: bool
) -> None:
    post = read_post(rss(f"<title>Tide</title><link>/tide</link>{item}"))
    if content is not None:
        assert post.content == content.strip()
    assert post.is_teaser is is_teaser


def test_short_post_without_a_title_is_whole() -> None:
    assert not read_post(rss("<link>/1</link><description>Seen a gull.</description>")).is_teaser


def test_post_in_several_languages_is_taken_in_that_of_the_newsletter() -> None:
    contents = (
        '<content type="html" xml:lang="de">Ebbe und Flut, zweimal am Tag und mehr.</content>'
        '<content type="html" xml:lang="en">Tides, twice a day.</content>'
    )
    post = read_post(atom(f"<title>A</title>{contents}"))
    assert (post.content, post.language) == ("<p>Tides, twice a day.</p>", "en")
    ((_, text, why),) = post.removed
    assert (text[:4], why) == ("Ebbe", "the post in another language")


@pytest.mark.parametrize(
    ("markup", "date"),
    [
        ("<pubDate>Fri, 02 Oct 2026 10:00:00 +0200</pubDate>", "2026-10-02T10:00:00+02:00"),
        ("<pubDate>Fri, 02 Oct 2026 10:00:00 EST</pubDate>", "2026-10-02T10:00:00-05:00"),
        # Without a zone, it is in the newsletter's.
        ("<pubDate>2026-10-02 10:00</pubDate>", "2026-10-02T10:00:00+02:00"),
        ("<pubDate>2 octobre 2026</pubDate>", "2026-10-02T00:00:00+02:00"),
        ("<dc:date>2026-10-02T10:00:00Z</dc:date>", "2026-10-02T10:00:00+00:00"),
        (
            "<dc:date>2027-01-01</dc:date><pubDate>Fri, 02 Oct 2026 10:00 GMT</pubDate>",
            "2026-10-02T10:00:00+00:00",
        ),
        ("<pubDate>Yesterday</pubDate>", None),
        ("<pubDate>9999-12-31T23:59:59-12:00</pubDate>", None),
        ("", None),
    ],
)
def test_date_is_that_of_publication(markup: str, date: str | None) -> None:
    post = read_post(rss(f"<title>A</title><link>/a</link>{markup}"))
    assert post.date == (datetime.datetime.fromisoformat(date) if date else None)
    is_unreadable = bool(markup and not date)
    assert [note.key for note in post.notes] == ["date"] * is_unreadable


@pytest.mark.parametrize(
    ("markup", "author", "notes"),
    [
        ("<author>ann@a.example (Ann Tide)</author>", "Ann Tide", 0),
        ("<dc:creator>Ann</dc:creator><dc:creator>Ben</dc:creator>", "Ann, Ben", 0),
        ("<author>ann@a.example</author>", "", 1),
        ("", "", 0),
    ],
)
def test_author_is_a_name(markup: str, author: str, notes: int) -> None:
    post = read_post(rss(f"<title>A</title><link>/a</link>{markup}"))
    assert (post.author, len(post.notes)) == (author, notes)


@pytest.mark.parametrize("start", ["", "<![CDATA["])
def test_endless_name_is_clipped_before_it_is_searched(start: str) -> None:
    name = "Ann." * 5_000
    markup = f"<dc:creator>{start}{name}{']]>' if start else ''}</dc:creator>"
    post = read_post(rss(f"<title>A</title><link>/a</link>{markup}<category>Sea</category>"))
    assert post.author == name[:300]
    assert post.tags == ("Sea",)


def test_entries_of_atom_have_the_author_of_their_feed() -> None:
    head = "<author><name>Zoë</name></author>"
    assert read_post(atom("<title>A</title><link href='/a'/>", head=head)).author == "Zoë"


@pytest.mark.parametrize(
    ("guid", "url", "post_id"),
    [
        ("<guid>12345</guid>", "", "12345"),
        ("<guid>https://a.example/1</guid>", "https://a.example/1", "https://a.example/1"),
        ("<guid>/2026/tide</guid>", "https://harbour.example/2026/tide", "/2026/tide"),
        ('<guid isPermaLink="false">tag:x</guid><link>/a</link>', f"{HOME}/a", "tag:x"),
        ("<link>/a</link>", f"{HOME}/a", ""),
        (
            (
                '<link>https://feeds.example/~r/1</link><f:origLink xmlns:f="http://rssnamespace.org'
                '/feedburner/ext/1.0">https://a.example/1</f:origLink>'
            ),
            "https://a.example/1",
            "",
        ),
    ],
)
def test_id_stays_as_it_is_and_is_a_url_only_if_it_looks_like_one(
    guid: str, url: str, post_id: str
) -> None:
    post = read_post(rss(f"<title>A</title>{guid}<description>Text of it.</description>"))
    assert (post.url, post.post_id) == (url, post_id)


@pytest.mark.parametrize(
    ("media", "hero", "in_content", "notes"),
    [
        ('<media:thumbnail url="/t.jpg"/>', f"{HOME}/t.jpg", "", 0),
        ('<enclosure url="/t.jpg" type="image/jpeg" length="1"/>', f"{HOME}/t.jpg", "", 0),
        (
            (
                '<media:content url="/a.jpg" medium="image"/>'
                '<media:content url="/b.jpg" medium="image"/>'
            ),
            f"{HOME}/a.jpg",
            "",
            1,
        ),
        # The text holds it in another size.
        ('<media:thumbnail url="http://harbour.example/in-text-150x150.png?w=9"/>', "", "", 0),
        ('<media:content url="https://secure.gravatar.com/avatar/1" medium="image"/>', "", "", 1),
        ('<enclosure url="/1.mp3" type="audio/mpeg"/>', "", f'<audio src="{HOME}/1.mp3"', 0),
        ('<enclosure url="/a%20b.pdf"/>', "", f'<a href="{HOME}/a%20b.pdf">a b.pdf</a>', 0),
        (
            (
                '<media:group><media:content url="/1.mp4" type="video/mp4"/>'
                '<media:content url="/2.mp4" type="video/mp4"/></media:group>'
            ),
            "",
            f'<video src="{HOME}/1.mp4"',
            1,
        ),
    ],
)
def test_media_of_an_item_are_in_the_post_or_listed(
    media: str, hero: str, in_content: str, notes: int
) -> None:
    text = "&lt;p&gt;Text &lt;img src='/in-text.png'&gt;&lt;/p&gt;"
    post = read_post(
        rss(f"<title>A</title><link>/a</link><description>{text}</description>{media}")
    )
    assert (post.hero, post.kind) == (hero, "post")
    assert in_content in post.content
    assert len(post.notes) == notes


def test_what_a_link_post_is_about_is_listed() -> None:
    post = read_post(
        atom(
            '<title>A</title><link href="https://harbour.example/a"/>'
            '<link rel="via" href="https://b.example/1"/><summary>See it.</summary>'
        )
    )
    assert [note.text for note in post.notes] == [
        "https://b.example/1 (its source) is not in the post"
    ]


def test_tags_are_listed_once_and_none_is_for_the_machine() -> None:
    kind = "http://schemas.google.com/g/2005#kind"
    categories = (
        f'<category term="x" scheme="{kind}"/><category term="sea" label="The Sea"/>'
        '<category term="The sea"/>'
    )
    assert read_post(atom(f"<title>A</title><link href='/a'/>{categories}")).tags == ("The Sea",)


def test_large_post_is_listed_and_the_others_are_read() -> None:
    large = f"<title>Large</title><description>{'x' * 100_001}</description>"
    first, second = read(rss(large, RSS_ITEM)).posts
    assert isinstance(first, UnreadablePost)
    assert "the post has 0.1 MB" in str(first.problem)
    assert second.title == "Low tide"


def test_repeated_posts_are_counted() -> None:
    feed = read(rss(RSS_ITEM, RSS_ITEM))
    assert (len(feed.posts), feed.list_other_items()) == (1, {"repeated posts": 1})


def test_newest_posts_of_a_very_long_feed_are_taken() -> None:
    items = [
        {
            "id": n,
            "content_text": f"Post {n}",
            "date_published": f"{2000 + n // 300}-01-01T00:00:00Z",
        }
        for n in range(MAX_FEED_POSTS + 2)
    ]
    version = "https://jsonfeed.org/version/1.1"
    feed = read(json.dumps({"version": version, "items": items}))
    assert len(feed.posts) == MAX_FEED_POSTS
    assert feed.list_other_items() == {"older posts": 2}
    assert "Post 2001" in "".join(p.content for p in feed.iter_posts() if isinstance(p, SourcePost))


def test_feed_is_opened_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.write_text(rss(RSS_ITEM, head=""))
    settings = SourceSettings(ZoneInfo("UTC"), "en", 9_999, base_url="https://harbour.example")
    feed = open_feed_file(path, settings)
    assert (feed.title, feed.description) == ("Notes", "feed")
    assert [post.url for post in feed.iter_posts() if isinstance(post, SourcePost)] == [
        "https://harbour.example/tide"
    ]
    with pytest.raises(PostError, match="could not read the file"):
        open_feed_file(tmp_path, settings)
