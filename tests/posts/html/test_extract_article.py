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
        ('<meta property="og:site_name" content="S (x)"><title>C – S (x)</title>', "C"),  # noqa: RUF001
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
