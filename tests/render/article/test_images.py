"""Images, figures and galleries in forms that every mail client shows."""

import re
from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.config.theme import Theme
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.article.build import Article, build_article
from newsletter.render.article.images import compute_display_size

MakeArticle = Callable[[str], Article]

SIZES = {"wide.png": (2400, 1200), "small.png": (100, 50), "odd.webp": (0, 0), "a.svg": (10, 10)}


@pytest.fixture
def make_article(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> MakeArticle:
    """Return a function that builds an article 600 px wide, with a few local images."""
    images = {name: LocalImage(name, *size, 9) for name, size in SIZES.items()}
    config = make_config(theme=Theme(width=664), image_url="https://img.example/{slug}/{file}")
    return lambda body: build_article(make_issue(body, post={"images": images}), config)


@pytest.mark.parametrize(
    ("natural", "requested", "limit", "expected"),
    [
        ((2400, 1200), (0, 0), 600, (600, 300)),
        ((100, 50), (0, 0), 600, (100, 50)),  # never upscaled
        ((100, 50), (300, 0), 600, (100, 50)),
        ((2400, 1200), (300, 0), 600, (300, 150)),
        ((2400, 1200), (0, 100), 600, (200, 100)),
        ((2400, 1200), (300, 300), 600, (300, 150)),  # the file's own proportions
        ((0, 0), (300, 100), 600, (300, 100)),
        ((0, 0), (1200, 100), 600, (600, 50)),
        ((0, 0), (300, 0), 600, (300, 0)),
        ((0, 0), (0, 0), 600, (0, 0)),
        ((0, 0), (0, 100), 600, (0, 0)),
        ((5000, 1), (0, 0), 600, (600, 1)),
        ((400, 0), (500, 0), 600, (400, 0)),
        ((0, 300), (500, 0), 600, (500, 0)),
    ],
)
def test_display_size_is_limited_and_keeps_proportions(
    natural: tuple[int, int], requested: tuple[int, int], limit: int, expected: tuple[int, int]
) -> None:
    assert compute_display_size(natural, *requested, limit) == expected


def test_local_image_gets_published_url_size_and_alt(make_article: MakeArticle) -> None:
    assert make_article('<p>see <img src="wide.png" loading="lazy"> here</p>').html == (
        '<p>see <img src="https://img.example/the-tide/wide.png" alt="" width="600" height="300"'
        ' style="max-width:100%;height:auto"> here</p>'
    )


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ('width="300"', "300 150"),
        ('style="width:50%"', "300 150"),
        ('height="20px"', "40 20"),
        ('height="50%"', "600 300"),  # of a height that nobody knows
    ],
)
def test_requested_size_is_respected(attributes: str, size: str, make_article: MakeArticle) -> None:
    html = make_article(f'<p>a <img src="wide.png" {attributes}></p>').html

    assert " ".join(re.findall(r'(?:width|height)="(\d+)"', html)) == size


def test_standalone_image_becomes_a_figure_with_its_title_as_caption(
    make_article: MakeArticle,
) -> None:
    html = make_article(
        '<p><a href="/x"><img src="small.png" alt="A" title="At dawn"></a></p>'
    ).html

    assert html.startswith('<div class="figure"><a href="https://harbournotes.example/x"><img ')
    assert "display:block;max-width:100%" in html
    assert html.endswith('</a><div class="caption">At dawn</div></div>')


@pytest.mark.parametrize(
    ("body", "captions"),
    [
        ('<p><img src="small.png" alt="A" title="IMG_2034"></p>', []),
        ('<p><img src="small.png" alt="A" title="A"></p>', []),
        ('<div><img src="small.png" alt="A" title="At dawn"></div>', []),
        (
            '<figure><img src="small.png" title="At dawn"><figcaption>Dawn</figcaption></figure>',
            ["Dawn"],
        ),
    ],
)
def test_other_titles_are_not_captions(
    body: str, captions: list[str], make_article: MakeArticle
) -> None:
    html = make_article(body).html

    assert re.findall('<div class="caption">(.*?)</div>', html) == captions


def test_image_keeps_what_identifies_and_describes_it(make_article: MakeArticle) -> None:
    kept = 'title="Ved kaien" lang="nb"'

    assert f" {kept}>" in make_article(f'<p>a <img src="small.png" {kept}></p>').html


def test_figures_become_div(make_article: MakeArticle) -> None:
    html = make_article(
        '<figure class="wide"><img src="small.png">'
        "<figcaption>Dawn <em>here</em></figcaption></figure>"
    ).html

    assert "display:block" in html
    assert '<div class="figure wide">' in html
    assert html.endswith('<div class="caption">Dawn <em>here</em></div></div>')


@pytest.mark.parametrize(
    "body",
    [
        "<p>{a}\n{b}<br>{c}</p>",
        '<div class="gallery">{a}{b}{c}</div>',
        "<figure>{a}{b}{c}</figure>",
        '<figure class="wp-block-gallery"><figure>{a}</figure><figure>{b}</figure>{c}</figure>',
    ],
)
def test_gallery_has_two_columns(body: str, make_article: MakeArticle) -> None:
    image = '<img src="wide.png" alt="{}">'
    html = make_article(
        body.format(a=image.format("a"), b=image.format("b"), c=image.format("c"))
    ).html

    assert html.count("<tr>") == 2
    assert re.findall(r'alt="(\w)" width="(\d+)"', html) == [
        ("a", "292"),
        ("b", "292"),
        ("c", "600"),
    ]
    assert html.count('class="gallery-cell" valign="top" width="50%"') == 2
    assert 'role="presentation"' in html


def test_gallery_captions_stay_with_their_images(make_article: MakeArticle) -> None:
    html = make_article(
        '<figure><figure><img src="wide.png"><figcaption>one</figcaption></figure>'
        '<figure><img src="wide.png"></figure><figcaption>both</figcaption></figure>'
    ).html

    assert re.search(r'height:auto"><div class="caption">one</div></td>', html)
    assert html.endswith('</table><div class="caption">both</div></div>')


def test_gallery_images_keep_their_links(make_article: MakeArticle) -> None:
    html = make_article('<p><a href="/x"><img src="wide.png"></a> <img src="wide.png"></p>').html

    assert re.search(
        r'width="50%"><a href="https://harbournotes.example/x"><img [^>]*></a></td>', html
    )
    assert html.count("display:block") == 2


@pytest.mark.parametrize(
    "body",
    [
        '<p><a href="/x"><img src="wide.png"> <img src="wide.png"></a></p>',
        '<figure><a href="/x"><div><img src="wide.png"><br><img src="wide.png"></div></a></figure>',
    ],
)
def test_a_link_around_a_gallery_is_one_around_each_image(
    body: str, make_article: MakeArticle
) -> None:
    html = make_article(body).html

    link = re.escape('width="50%"><a href="https://harbournotes.example/x"><img ')
    assert len(re.findall(rf"{link}[^>]*></a></td>", html)) == html.count("<a ") == 2


def test_images_beside_a_table_are_not_a_gallery(make_article: MakeArticle) -> None:
    image, table = '<img src="small.png">', "<table><tr><td></td></tr></table>"

    assert "gallery-cell" not in make_article(f"<figure>{image}{table}{image}</figure>").html


def test_image_beside_the_text_of_its_link_is_not_a_figure(make_article: MakeArticle) -> None:
    html = make_article('<p><a href="/x"><img src="small.png"> to the harbour</a></p>').html

    assert html.startswith("<p>")
    assert "display:block" not in html


def test_only_the_image_of_a_picture_stays(make_article: MakeArticle) -> None:
    html = make_article(
        '<p><picture><source srcset="wide.webp"><source srcset="wide.avif">'
        '<img src="wide.png"></picture></p>'
    ).html

    assert re.findall("<([a-z]+)", html) == ["div", "img"]


def test_images_in_text_are_not_a_gallery(make_article: MakeArticle) -> None:
    html = make_article('<p><img src="small.png"> and <img src="small.png"></p>').html

    assert "gallery" not in html
    assert "display:block" not in html


@pytest.mark.parametrize(("depth", "width"), [(1, 560), (11, 160), (12, 150), (20, 150)])
def test_image_in_quotes_fits_the_innermost(
    depth: int, width: int, make_article: MakeArticle
) -> None:
    body = "<blockquote>" * depth + '<img src="wide.png">' + "</blockquote>" * depth

    assert f'width="{width}"' in make_article(body).html


@pytest.mark.parametrize(
    ("image", "html", "note"),
    [
        (
            '<img src="data:image/gif;base64,R0" alt="Dawn">',
            "<p>x Dawn</p>",
            "an image without a usable URL was left out: Dawn",
        ),
        ('<img src="data:image/gif;base64,R0">', "<p>x </p>", "left out: data:image/gif;base64,R0"),
        ('<img alt="Dawn">', "<p>x Dawn</p>", "without a usable"),
        ("<img>", "<p>x </p>", "left out: no alt"),
        (f'<img src="data:,{"x" * 90}">', "<p>x </p>", f"left out: data:,{'x' * 54}$"),
        ('<img src="https://stats.example/p" width="1" height="1">', "<p>x </p>", "tracking"),
    ],
)
def test_unusable_images_are_removed_and_noted(
    image: str, html: str, note: str, make_article: MakeArticle
) -> None:
    article = make_article(f"<p>x {image}</p>")

    assert article.html == html
    assert re.search(note, article.notes[0])


def test_thin_line_is_not_a_tracking_pixel(make_article: MakeArticle) -> None:
    line = '<img src="https://b.example/line.png" width="1" height="40">'

    assert make_article(f"<p>x {line}</p>").images == ("https://b.example/line.png",)


def test_images_that_some_clients_show_badly_are_noted(make_article: MakeArticle) -> None:
    notes = make_article('<img src="https://b.example/a.png"><img src="a.svg">').notes

    assert "size of https://b.example/a.png" in notes[0]
    assert "SVG" in notes[1]
    (note,) = make_article('<img src="https://b.example/a.SVG?v=2" width="9">').notes
    assert "SVG" in note


def test_relative_image_is_resolved_against_the_site(make_article: MakeArticle) -> None:
    assert make_article('<img src="/logo.png" width="9">').images == (
        "https://harbournotes.example/logo.png",
    )
