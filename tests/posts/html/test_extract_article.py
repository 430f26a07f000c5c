import datetime

import pytest

from newsletter.errors import PostError
from newsletter.posts.html.extract_article import extract_article
from newsletter.posts.html.sanitize import sanitize_html

PAGE = """\
<!doctype html>
<html lang="nb-NO">
<head>
  <title>Første båt | Harbour Notes</title>
  <meta property="og:site_name" content="Harbour Notes">
  <meta property="article:tag" content="boats"><meta property="article:tag" content="fog">
  <meta name="description" content="And so is the fog.">
  <link rel="canonical" href="https://harbournotes.example/first">
  <script type="application/ld+json">{"@graph": [
    {"@type": "WebSite", "name": "Harbour Notes"},
    {"@type": "BlogPosting", "headline": "First boat", "datePublished": "2026-11-20T23:30:00-05:00",
     "author": [{"@type": "Person", "name": "Ada Berg"}]}
  ]}</script>
</head>
<body>
  <header><nav>Home</nav></header>
  %s
  <footer>Imprint</footer>
</body>
</html>
"""


def test_metadata_is_extracted() -> None:
    page = extract_article(PAGE % "<p>Text</p>", "post.html")
    assert page.title == "First boat"
    assert page.author == "Ada Berg"
    assert page.date == datetime.date(2026, 11, 20)
    assert page.canonical_url == "https://harbournotes.example/first"
    assert page.language == "nb-NO"
    assert page.description == "And so is the fog."
    assert page.tags == ("boats", "fog")


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ('<meta property="og:title" content="A &amp; B"><title>C</title>', "A & B"),
        ("<title> C\n d </title>", "C d"),
        ('<meta property="og:site_name" content="S (x)"><title>C – S (x)</title>', "C"),
        ('<script type="application/ld+json">{"@type": "Article", "headline": 3}</script>', ""),
        ('<script type="application/ld+json">[[[{</script>', ""),
    ],
)
def test_title_is_extracted_from_the_head(head: str, title: str) -> None:
    assert extract_article(f"<head>{head}</head><body><p>x</p></body>", "p").title == title


def test_a_single_h1_is_the_title() -> None:
    page = "<head><title>Long title for search engines</title></head><body><h1>Boat <i>1</i></h1>x"
    assert extract_article(page, "p").title == "Boat 1"


@pytest.mark.parametrize(
    ("head", "date", "author"),
    [
        (
            (
                '<meta name="author" content="Ada">'
                '<meta property="article:published_time" content="2026-11-22T09:00:00Z">'
            ),
            datetime.date(2026, 11, 22),
            "Ada",
        ),
        (
            '<meta name="date" content="2026-02-31"><meta name="author" content="https://a">',
            None,
            "Bo",
        ),
        ('<meta name="date" content="last week">', None, "Bo"),
    ],
)
def test_date_and_author_are_extracted(head: str, date: datetime.date | None, author: str) -> None:
    page = extract_article(f'<head>{head}</head><body><a rel="author">Bo</a></body>', "p")
    assert (page.date, page.author) == (date, author)


def test_time_element_in_the_article_sets_the_date() -> None:
    page = extract_article(
        '<body><article><time datetime="2026-11-22">Sunday</time></article>', "p"
    )
    assert page.date == datetime.date(2026, 11, 22)


@pytest.mark.parametrize(
    ("body", "article"),
    [
        ("<main>a<article><p>b</p></article></main>", "<p>b</p>"),
        ("<main>&lt;a&gt;<nav>n</nav> <p>b</p></main>", "&lt;a&gt; <p>b</p>"),
        ('<div role="main"><p>b</p></div>', "<p>b</p>"),
        ("<article> </article><main><p>b</p></main>", "<p>b</p>"),
        ("<p>b</p><aside>c</aside><script>d</script><form><p>e</p></form>", "<p>b</p>"),
        ("<form><p>a</p><p>b</p><input></form>", "<div><p>a</p><p>b</p></div>"),
    ],
)
def test_article_is_extracted_without_its_surroundings(body: str, article: str) -> None:
    html = extract_article(PAGE % body, "post.html").html
    assert sanitize_html(html).strip() == article


def test_header_footer_and_aside_inside_the_article_are_kept() -> None:
    article = "<article><header><h1>a</h1></header><aside>b</aside><footer>c</footer></article>"
    html = extract_article(PAGE % article, "post.html").html
    assert html == article.removeprefix("<article>").removesuffix("</article>")


def test_lazy_loaded_images_get_their_real_source() -> None:
    body = '<main><img src="data:image/gif;base64,R0" data-src="a.jpg">'
    body += '<img src="/b.jpg" data-src="c.jpg"></main>'
    html = extract_article(PAGE % body, "post.html").html
    assert 'src="a.jpg"' in html
    assert 'src="/b.jpg"' in html


def test_fragment_is_returned_unchanged() -> None:
    fragment = "<h1>Title</h1><p>A <header>b</header>"
    assert extract_article(fragment, "post.html").html == fragment


@pytest.mark.parametrize("depth", [5_000, 100_000])
@pytest.mark.parametrize("whole", [True, False])
def test_deeply_nested_html_is_rejected_with_its_line(*, whole: bool, depth: int) -> None:
    deep = "\n<div>" * depth
    with pytest.raises(PostError, match=r"^post\.html:\d+: the HTML nests more than 100 elements"):
        extract_article(PAGE % deep if whole else deep, "post.html")


def test_external_entities_are_not_resolved() -> None:
    page = '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd">]><html><body><p>&a;</p></body>'
    assert "root:" not in extract_article(page, "post.html").html


@pytest.mark.parametrize("author", ["//[Ada", "http://[Ada]", "https://example.org/ada"])
def test_author_that_is_a_url_is_not_a_name(author: str) -> None:
    meta = f'<meta name="author" content="{author}">'
    page = f"<html><head>{meta}</head><body><p>Text</p></body></html>"
    assert extract_article(page, "post.html").author == ""


LONG = "The tide turns at four, and the boats that went out in the fog come home one by one."
TEASER = "<article><p>Older boats</p></article>"


@pytest.mark.parametrize(
    ("body", "article", "outside"),
    [
        # A teaser in the menu, then the post.
        (f"{TEASER}<article><p>{LONG}</p></article>", f"<p>{LONG}</p>", 0),
        # The post isn't an article, but the related posts below it are.
        (f"<div><p>{LONG}</p></div>{TEASER}", f"<div><p>{LONG}</p></div>{TEASER}", 0),
        (f"<main><p>{LONG}</p>{TEASER}</main><p>c</p>", f"<p>{LONG}</p>{TEASER}", 0),
        # A long comment is no post.
        (
            f"<article><p>{LONG}</p></article><ul id='comments'><article>{LONG * 2}</article></ul>",
            f"<p>{LONG}</p>",
            0,
        ),
        # Neither are links, menus, sidebars and hidden text running text.
        (
            (
                f"<article><p>Short</p></article><a>{LONG}</a><nav>{LONG}</nav>"
                f"<aside>{LONG}</aside><p hidden>{LONG}</p>"
            ),
            "<p>Short</p>",
            0,
        ),
        # The larger of two halves, and a notice that there is more.
        (
            f"<article><p>{LONG}</p></article><article><h1>a</h1><p>{LONG} {LONG}</p></article>",
            f"<h1>a</h1><p>{LONG} {LONG}</p>",
            19,
        ),
        # Scripts without spaces between words.
        (f"{TEASER}<article><p>{'潮水在四点钟转向' * 6}</p></article>", None, 0),
        # A form around the whole page.
        (f"<form>{TEASER}<article><p>{LONG}</p><p>b</p></article></form>", None, 0),
    ],
)
def test_article_is_the_one_with_the_running_text(
    body: str, article: str | None, outside: int
) -> None:
    page = extract_article(f"<body>{body}</body>", "p")
    assert page.prose_outside == outside
    if article is not None:
        assert page.html == article
    assert "Older" not in page.html or article is not None


def test_what_is_outside_the_article_is_listed_with_its_links_and_pictures() -> None:
    body = (
        "<div>Logo\n<img src='logo.png' alt='Harbour'><a href='/'>1</a><br><a href='/'>2</a>"
        "<a href='/about?a=1&copy=2'>About</a> us</div>"
        "\n<article><p>Text</p></article>\n<p><img srcset='a.jpg 1x, b.jpg 2x'></p>loose"
    )
    page = extract_article(f"<body>{body}</body>", "p")
    assert page.removed == (
        (1, "Logo Harbour 1 2 About us logo.png / / /about?a=1&copy=2", "outside the article"),
        (4, "loose a.jpg b.jpg", "outside the article"),
    )


@pytest.mark.parametrize(
    ("keep", "article"),
    [
        ((), "<p>Text</p>"),
        ((1,), "<p>Lead <b>a</b></p>\n<p>Text</p>"),
        ((4,), "<p>Text</p><p>End</p>\nloose &amp; c"),
        ((2, 3), "<p>Text</p>"),
    ],
)
def test_kept_parts_around_the_article_stay_in_their_order(
    keep: tuple[int, ...], article: str
) -> None:
    body = (
        "<p>Lead <b>a</b></p>\n<div>\n<article><p>Text</p></article></div>\n"
        "<p>End</p>\nloose &amp; c<script>x</script>"
    )
    assert extract_article(f"<body>{body}</body>", "p", keep=keep).html == article


@pytest.mark.parametrize("name", ["nav", "header", "footer", "aside"])
def test_kept_parts_of_a_page_without_an_article_stay(name: str) -> None:
    page = f"<body>\n<p>Text</p>\n<{name}><a href='/b'>Part</a></{name}></body>"
    assert extract_article(page, "p").removed == ((3, "Part /b", f"<{name}> of the page"),)
    kept = extract_article(page, "p", keep=[3])
    assert kept.removed == ()
    assert "Part" in kept.html


def test_page_that_states_its_encoding_is_parsed() -> None:
    page = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html><body><p>Fog</p></body>'
    assert extract_article(page, "p").html.strip() == "<p>Fog</p>"


@pytest.mark.parametrize(
    ("base", "link", "image"),
    [
        ("https://b.example/c/", "https://b.example/c/d", "https://b.example/e.png"),
        ("/c/", "https://a.example/c/d", "https://a.example/e.png"),
        ("", "d", "/e.png"),
        ("https://[", "d", "/e.png"),
    ],
)
def test_relative_urls_are_resolved_as_the_page_asks_for(base: str, link: str, image: str) -> None:
    base_tag = f'<base href="{base}">' if base else "<base target=_top>"
    head = f'<head>{base_tag}<link rel="canonical" href="https://a.example/"></head>'
    others = '<a href="#f">f</a><a href="mailto:a@b.c">m</a>'
    body = f'<body><p>{others}<a href="d">x</a><img src="/e.png"></p></body>'
    page = extract_article(head + body, "p")
    assert page.html == f'<p>{others}<a href="{link}">x</a><img src="{image}"></p>'
    around = f"{head}<body>\n<div><a href='d'>x</a></div><main>a</main></body>"
    assert [entry.text for entry in extract_article(around, "p").removed] == ["x d"]
    assert f'<a href="{link}">' in extract_article(around, "p", keep=[2]).html
