"""Images, figures and galleries in the forms that mail clients share."""

import re
from collections.abc import Callable

import pytest

from newsletter.config.models import Config, Theme
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.article.build import Article, build_article
from newsletter.render.article.images import compute_display_size

ArticleOf = Callable[[str], Article]

SIZES = {"wide.png": (2400, 1200), "small.png": (100, 50), "odd.webp": (0, 0), "a.svg": (10, 10)}


@pytest.fixture
def article_of(issue_of: Callable[..., Issue], config_of: Callable[..., Config]) -> ArticleOf:
    """Articles whose column is 600 px wide, with a few local images."""
    images = {name: LocalImage(name, *size, 9) for name, size in SIZES.items()}
    config = config_of(theme=Theme(width=664), image_url="https://img.example/{slug}/{file}")
    return lambda body: build_article(issue_of(body, post={"images": images}), config)


@pytest.mark.parametrize(
    ("natural", "wanted", "limit", "expected"),
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
        ((5000, 1), (0, 0), 600, (600, 1)),
    ],
)
def test_an_image_is_shown_as_large_as_it_may(
    natural: tuple[int, int], wanted: tuple[int, int], limit: int, expected: tuple[int, int]
) -> None:
    assert compute_display_size(natural, *wanted, limit) == expected


def test_a_local_image_is_published_sized_and_has_an_alt(article_of: ArticleOf) -> None:
    assert article_of('<p>see <img src="wide.png" loading="lazy"> here</p>').html == (
        '<p>see <img src="https://img.example/the-tide/wide.png" alt="" width="600" height="300"'
        ' style="max-width:100%;height:auto"> here</p>'
    )


@pytest.mark.parametrize(
    ("attributes", "size"),
    [('width="300"', "300 150"), ('style="width:50%"', "300 150"), ('height="20px"', "40 20")],
)
def test_what_the_author_wants_is_respected(
    attributes: str, size: str, article_of: ArticleOf
) -> None:
    html = article_of(f'<p>a <img src="wide.png" {attributes}></p>').html

    assert " ".join(re.findall(r'(?:width|height)="(\d+)"', html)) == size


def test_a_lone_image_becomes_a_figure_with_its_title_as_caption(article_of: ArticleOf) -> None:
    html = article_of('<p><a href="/x"><img src="small.png" alt="A" title="At dawn"></a></p>').html

    assert html.startswith('<div class="figure"><a href="https://harbournotes.example/x"><img ')
    assert "display:block;max-width:100%" in html
    assert html.endswith('</a><div class="caption">At dawn</div></div>')


@pytest.mark.parametrize("title", ["IMG_2034", "A"])
def test_a_title_that_says_nothing_is_no_caption(title: str, article_of: ArticleOf) -> None:
    html = article_of(f'<p><img src="small.png" alt="A" title="{title}"></p>').html

    assert "caption" not in html


def test_figures_become_what_outlook_knows(article_of: ArticleOf) -> None:
    html = article_of(
        '<figure class="wide"><img src="small.png">'
        "<figcaption>Dawn <em>here</em></figcaption></figure>"
    ).html

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
def test_several_images_become_two_columns(body: str, article_of: ArticleOf) -> None:
    image = '<img src="wide.png" alt="{}">'
    html = article_of(
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


def test_captions_of_a_gallery_stay_with_their_pictures(article_of: ArticleOf) -> None:
    html = article_of(
        '<figure><figure><img src="wide.png"><figcaption>one</figcaption></figure>'
        '<figure><img src="wide.png"></figure><figcaption>both</figcaption></figure>'
    ).html

    assert re.search(r'height:auto"><div class="caption">one</div></td>', html)
    assert html.endswith('</table><div class="caption">both</div></div>')


def test_pictures_of_a_gallery_keep_their_links(article_of: ArticleOf) -> None:
    html = article_of('<p><a href="/x"><img src="wide.png"></a> <img src="wide.png"></p>').html

    assert re.search(
        r'width="50%"><a href="https://harbournotes.example/x"><img [^>]*></a></td>', html
    )
    assert html.count("display:block") == 2


def test_images_beside_a_table_are_no_gallery(article_of: ArticleOf) -> None:
    image, table = '<img src="small.png">', "<table><tr><td></td></tr></table>"

    assert "gallery-cell" not in article_of(f"<figure>{image}{table}{image}</figure>").html


def test_images_among_words_are_no_gallery(article_of: ArticleOf) -> None:
    html = article_of('<p><img src="small.png"> and <img src="small.png"></p>').html

    assert "gallery" not in html
    assert "display:block" not in html


def test_an_image_in_a_quote_is_no_wider_than_the_quote(article_of: ArticleOf) -> None:
    assert 'width="560"' in article_of('<blockquote><img src="wide.png"></blockquote>').html


@pytest.mark.parametrize(
    ("image", "html", "told"),
    [
        ('<img src="data:image/gif;base64,R0" alt="Dawn">', "<p>x Dawn</p>", "without a usable"),
        ('<img alt="Dawn">', "<p>x Dawn</p>", "without a usable"),
        ('<img src="https://stats.example/p" width="1" height="1">', "<p>x </p>", "tracking"),
    ],
)
def test_images_that_nobody_can_see_go_and_are_told(
    image: str, html: str, told: str, article_of: ArticleOf
) -> None:
    article = article_of(f"<p>x {image}</p>")

    assert article.html == html
    assert told in article.notes[0]


def test_the_editor_is_told_of_images_that_some_clients_show_badly(article_of: ArticleOf) -> None:
    notes = article_of('<img src="https://b.example/a.png"><img src="a.svg">').notes

    assert "size of https://b.example/a.png" in notes[0]
    assert "SVG" in notes[1]


def test_a_relative_image_that_is_not_local_is_the_webs(article_of: ArticleOf) -> None:
    assert article_of('<img src="/logo.png" width="9">').images == (
        "https://harbournotes.example/logo.png",
    )
