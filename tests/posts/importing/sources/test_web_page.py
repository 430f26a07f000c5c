"""A downloaded page becomes a post; one without a post is refused with the next step."""

import datetime

import pytest

from newsletter.errors import PostError
from newsletter.fetch.download import Download
from newsletter.posts.importing.sources.web_page import FeedLink, find_feeds, parse_page_download

URL = "https://blog.example/2026/11/tide/"
TEXT = "<p>The tide turns at four, and the boats that went out in the fog come home.</p>" * 8


def make_download(
    body: str | bytes, *, url: str = URL, content_type: str = "text/html; charset=utf-8"
) -> Download:
    data = body if isinstance(body, bytes) else body.encode()
    return Download(url, 200, data, {"content-type": content_type}, url)


def make_page(head: str = "", body: str = f"<article><h1>Tide</h1>{TEXT}</article>") -> str:
    return f"<!doctype html><html lang=en><title>T</title>{head}<body>{body}</body></html>"


def test_page_becomes_a_post() -> None:
    head = (
        '<link rel="canonical" href="https://blog.example/2026/11/tide-turns.html">'
        '<script type="application/ld+json">{"@type": "BlogPosting", "headline": "The tide",'
        '"datePublished": "2026-11-28T23:30:00-05:00", "author": {"name": "Ada"},'
        '"image": ["/quay.jpg"]}</script>'
    )
    body = f'<article><h1>Tide</h1>{TEXT}<a href="../fog/"><img src="/a.png"></a></article>'
    post = parse_page_download(make_download(make_page(head, body)))
    assert (post.title, post.author, post.language, post.slug) == (
        "Tide",
        "Ada",
        "en",
        "tide-turns",
    )
    assert post.url == post.post_id == "https://blog.example/2026/11/tide-turns.html"
    assert post.date == datetime.datetime.fromisoformat("2026-11-28T23:30:00-05:00")
    assert post.hero == "https://blog.example/quay.jpg"
    assert [note.key for note in post.notes] == ["hero"]
    assert post.is_page
    assert 'href="https://blog.example/2026/11/fog/"' in post.content
    assert 'src="https://blog.example/a.png"' in post.content


@pytest.mark.parametrize(
    ("canonical", "url"),
    [
        ("/other/", URL.replace("2026/11/tide", "other")),
        ("https://www.blog.example/tide", "https://www.blog.example/tide"),
        ("https://blog.example/?p=7", "https://blog.example/?p=7"),
        ("https://blog.example/", URL),
        ("http://localhost:4000/tide/", URL),
        ("http://[", URL),
        ("", URL),
    ],
)
def test_canonical_url_counts_if_it_can_be_the_pages(canonical: str, url: str) -> None:
    page = make_page(f'<link rel="canonical" href="{canonical}">')
    assert parse_page_download(make_download(page)).url == url


@pytest.mark.parametrize(
    ("image", "hero"),
    [
        ("https://cdn.example/quay.jpg", "https://cdn.example/quay.jpg"),
        ("/img/boat.jpg", ""),
        ("https://cdn.example/boat-1200x630.jpg", ""),
        ("/img/site-logo.png", ""),
        ("data:image/png;base64,R0", ""),
        ("http://[", ""),
    ],
)
def test_main_image_is_the_hero_unless_the_article_has_it(image: str, hero: str) -> None:
    head = f'<meta property="og:image" content="{image}"><meta property="og:image:alt" content="A">'
    body = f'<article><h1>Tide</h1>{TEXT}<img src="/img/boat.jpg"></article>'
    post = parse_page_download(make_download(make_page(head, body)))
    assert (post.hero, post.hero_alt) == (hero, "A" if hero else "")


@pytest.mark.parametrize(
    ("published", "date"),
    [
        ("2026-11-28T09:00:00Z", "2026-11-28T09:00:00+00:00"),
        ("2026-11-28T09:00:00", "2026-11-28T12:00:00+00:00"),
        ("2026-11-28", "2026-11-28T12:00:00+00:00"),
        ("2026-11-28 at nine", "2026-11-28T12:00:00+00:00"),
    ],
)
def test_date_without_a_zone_stays_the_same_day(published: str, date: str) -> None:
    head = f'<meta property="article:published_time" content="{published}">'
    post = parse_page_download(make_download(make_page(head)))
    assert post.date == datetime.datetime.fromisoformat(date)


def test_encoding_of_the_server_is_used() -> None:
    page = make_page(body=f"<article><h1>Прилив</h1>{TEXT}</article>").encode("cp1251")
    post = parse_page_download(make_download(page, content_type="text/html; charset=windows-1251"))
    assert post.title == "Прилив"


FEED = '<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
LIST = f"<article><h2><a href='/a'>A</a></h2>{TEXT}</article>"


@pytest.mark.parametrize(
    ("path", "body", "is_list"),
    [
        ("/", LIST * 3, True),
        ("", LIST * 3, True),
        ("/en/blog", LIST * 3, True),
        ("/", LIST * 2, False),
        ("/", f"{LIST * 3}<article><h1>Tide</h1>{TEXT}</article>", False),
        ("/tide/", f"<h1>Tide</h1><div>{TEXT}</div>{LIST * 3}", False),
    ],
)
def test_page_that_lists_posts_is_refused(path: str, body: str, *, is_list: bool) -> None:
    download = make_download(make_page(FEED, body), url=f"https://blog.example{path}")
    if is_list:
        with pytest.raises(
            PostError, match=r"several posts\. Use .* https://blog\.example/feed\.xml"
        ):
            parse_page_download(download)
    else:
        assert parse_page_download(download).title


LOGIN = "<form><input name=u><input type=password></form>"
SHELL = '<div id="root"></div><noscript>Turn on JavaScript.</noscript><script src=a></script>'
NOT_FREE = (
    '<script type="application/ld+json">{"@type": "Article", "isAccessibleForFree": %s}</script>'
)


@pytest.mark.parametrize(
    ("page", "content_type", "words"),
    [
        (make_page(body=f"<main><h1>Log in</h1>{LOGIN}</main>"), "", "login. Log in with a"),
        (make_page(NOT_FREE % "false"), "", "only subscribers can read all"),
        (make_page(NOT_FREE % '"False"'), "", "only subscribers can read all"),
        (make_page(body=SHELL), "", "no text until its scripts run. Open it in a browser, save"),
        (make_page(FEED, SHELL), "", "Import its feed, https://blog.example/feed.xml, or save"),
        (make_page(body="<main></main>"), "", "the page has no text. Open it"),
        ("", "", "the page has no text"),
        ("%PDF-1.7", "application/pdf", "this is application/pdf, not a web page"),
        ("%PDF-1.7", "text/html", "this is a PDF, not text"),
    ],
)  # fmt: skip
def test_page_without_a_post_is_refused(page: str, content_type: str, words: str) -> None:
    with pytest.raises(PostError) as caught:
        parse_page_download(make_download(page, content_type=content_type))
    assert words in str(caught.value)
    assert str(caught.value).startswith(URL)
    assert caught.value.problems[0].remedy


@pytest.mark.parametrize(
    "page",
    [
        make_page(body=f"<header>{LOGIN}</header><article><h1>Tide</h1>{TEXT}</article>"),
        make_page('<meta name="robots" content="noarchive">'),
        make_page(NOT_FREE % "true"),
        make_page(body="<main><h1>Fog</h1><img src=fog.jpg alt=Fog></main><script>a</script>"),
        make_page(body=f"<article><h1>潮</h1><p>{'潮水在四点钟转向。' * 3}</p></article>"),
    ],
)
def test_page_with_a_post_is_not_refused(page: str) -> None:
    assert parse_page_download(make_download(page)).title


def test_feeds_of_a_page_are_found() -> None:
    page = (
        '<base href="/blog/"><link rel="alternate" type="application/rss+xml" title="Comments" '
        'href="/comments/feed/"><link rel=alternate type=application/rss+xml title="Harbour '
        '&amp;\n Notes" href=feed.xml><link rel="alternate nofollow" type="Application/Atom+XML" '
        'href="https://feeds.example/a"><link rel="alternate" type="application/feed+json" '
        'href="/feed.json"><link rel="alternate" type="application/json" href="/wp-json/">'
        '<link rel="alternate" hreflang="de" href="/de/"><link rel="alternate" '
        'type="application/rss+xml" href="feed.xml"><link rel="alternate" '
        'type="application/rss+xml" href="javascript:alert(1)">'
    )
    assert find_feeds(page, URL) == (
        FeedLink("Harbour & Notes", "https://blog.example/blog/feed.xml", "application/rss+xml"),
        FeedLink("", "https://feeds.example/a", "application/atom+xml"),
        FeedLink("", "https://blog.example/feed.json", "application/feed+json"),
        FeedLink("Comments", "https://blog.example/comments/feed/", "application/rss+xml"),
    )
