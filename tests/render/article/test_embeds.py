"""Embeds become cards with a link."""

from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.article.build import Article, build_article
from newsletter.render.article.dom import get_visible_text, parse_fragment
from newsletter.render.article.embeds import find_embed_page

MakeArticle = Callable[[str], Article]


@pytest.fixture
def make_article(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> MakeArticle:
    return lambda body: build_article(make_issue(sanitize_html(body)), make_config())


@pytest.mark.parametrize(
    ("src", "page"),
    [
        ("https://www.youtube.com/embed/a-B_9?rel=0", "https://www.youtube.com/watch?v=a-B_9"),
        ("//youtube-nocookie.com/embed/x?start=90", "https://www.youtube.com/watch?v=x&t=90s"),
        ("https://youtu.be/x?si=1", "https://www.youtube.com/watch?v=x"),
        ("https://m.youtube.com/watch?a=b&v=x", "https://www.youtube.com/watch?v=x"),
        (
            "https://www.youtube.com/embed/videoseries?list=PL1",
            "https://www.youtube.com/playlist?list=PL1",
        ),
        ("https://player.vimeo.com/video/76?h=ab&dnt=1", "https://vimeo.com/76/ab"),
        (
            "https://open.spotify.com/embed/episode/4r?utm_source=x",
            "https://open.spotify.com/episode/4r",
        ),
        (
            "https://w.soundcloud.com/player/?url=https%3A//soundcloud.com/a/b&color=0",
            "https://soundcloud.com/a/b",
        ),
        ("https://embed.podcasts.apple.com/no/p/id1?i=2", "https://podcasts.apple.com/no/p/id1"),
        ("https://www.dailymotion.com/embed/video/x7", "https://www.dailymotion.com/video/x7"),
        ("https://films.example/embed/1", "https://films.example/embed/1"),
        ("https://notyoutube.com/embed/x", "https://notyoutube.com/embed/x"),
    ],
)
def test_iframe_is_mapped_to_its_public_page(src: str, page: str) -> None:
    assert find_embed_page(src).url == page


def test_youtube_video_becomes_a_card_with_still_and_title(make_article: MakeArticle) -> None:
    article = make_article(
        '<iframe src="https://www.youtube.com/embed/x" title="One tide" width="560"></iframe>'
    )

    assert article.images == ("https://i.ytimg.com/vi/x/hqdefault.jpg",)
    assert 'width="480" height="360"' in article.html
    assert article.links == ("https://www.youtube.com/watch?v=x",)
    assert (
        '<p class="embed-title"><a href="https://www.youtube.com/watch?v=x">One tide</a></p>'
        in (article.html)
    )
    assert '<span class="embed-kind">Video</span> \u00b7 youtube.com</p>' in article.html
    assert "iframe" not in article.html
    assert any("One tide" in note for note in article.notes)


def test_iframe_without_a_title_is_named_by_its_host(make_article: MakeArticle) -> None:
    html = make_article('<iframe src="https://www.films.example/1"></iframe>').html

    assert html == (
        '<div class="embed"><p class="embed-title">'
        '<a href="https://www.films.example/1">films.example</a></p>'
        '<p class="embed-host"><span class="embed-glyph" aria-hidden="true">\u25a4</span>'
        '\u00a0<span class="embed-kind">Web page</span></p></div>'
    )


@pytest.mark.parametrize(
    ("embed", "kind"),
    [
        ('<video src="/v.mp4"></video>', "\u25ba\u00a0Vid\u00e9o"),
        ('<audio src="/a.mp3"></audio>', "\u266a\u00a0Audio"),
        ('<iframe src="https://vimeo.example/1"></iframe>', "\u25a4\u00a0Page web"),
        *(
            (f'<iframe src="https://{src}"></iframe>', kind)
            for src, kind in (
                ("www.youtube.com/embed/x", "\u25ba\u00a0Vid\u00e9o"),
                ("www.youtube.com/embed/videoseries?list=1", "\u25ba\u00a0Vid\u00e9o"),
                ("player.vimeo.com/video/7", "\u25ba\u00a0Vid\u00e9o"),
                ("www.dailymotion.com/embed/video/x7", "\u25ba\u00a0Vid\u00e9o"),
                ("w.soundcloud.com/player/?url=https%3A//soundcloud.com/a", "\u266a\u00a0Audio"),
                ("open.spotify.com/embed/episode/4r", "\u266a\u00a0Audio"),
                ("embed.podcasts.apple.com/no/p/id1", "\u266a\u00a0Audio"),
            )
        ),
    ],
)
def test_card_says_its_kind_in_the_language_of_the_issue(
    embed: str,
    kind: str,
    make_issue: Callable[..., Issue],
    make_config: Callable[..., Config],
) -> None:
    issue = make_issue(sanitize_html(embed), post={"language": "fr"})
    assert kind in get_visible_text(parse_fragment(build_article(issue, make_config()).html))


def test_video_and_audio_link_to_their_files(make_article: MakeArticle) -> None:
    article = make_article(
        '<video poster="/p.jpg"><source src="/v.mp4"></video>'
        '<audio src="/a.mp3" title="Bell"></audio>'
    )

    assert article.links == (
        "https://harbournotes.example/v.mp4",
        "https://harbournotes.example/a.mp3",
    )
    assert article.images == ("https://harbournotes.example/p.jpg",)


def test_local_still_has_a_play_sign_or_a_note(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> None:
    images = {
        "a%20b.jpg": LocalImage("a b.jpg", 640, 360, 9),
        "a b.jpg.play.jpg": LocalImage("a b.jpg.play.jpg", 640, 360, 9),
        "c.gif": LocalImage("c.gif", 640, 360, 9, still_problem="it is not a JPEG"),
    }
    body = (
        '<iframe src="https://youtu.be/x" poster="a%20b.jpg"></iframe>'
        '<video src="/2" poster="c.gif"></video>'
    )
    config = make_config(image_url="https://img.example/{slug}/{file}")
    article = build_article(make_issue(sanitize_html(body), post={"images": images}), config)

    drawn, still = article.images
    assert drawn.endswith("/a%20b.jpg.play.jpg")
    assert still.endswith("/c.gif")
    assert article.html.count('height="') == 2
    assert [note for note in article.notes if "sign" in note] == [
        "c.gif has no play sign: it is not a JPEG"
    ]


def test_cards_of_one_paragraph_follow_it_in_order(make_article: MakeArticle) -> None:
    html = make_article(
        '<p>See <video src="/1" title="one"></video> and <video src="/2" title="two"></video>.</p>'
        "<p>After.</p>"
    ).html

    assert html.startswith('<p>See  and .</p><div class="embed">')
    assert html.index(">one<") < html.index(">two<") < html.index("After.")


def test_paragraph_with_only_an_embed_is_replaced(make_article: MakeArticle) -> None:
    html = make_article('<p><video src="/1" title="one"></video></p>').html

    assert html.startswith('<div class="embed">')


def test_embedded_post_keeps_its_text(make_article: MakeArticle) -> None:
    article = make_article(
        '<blockquote class="twitter-tweet"><p>High water!</p>&mdash; Tormod '
        '<a href="https://twitter.com/tormod/status/1">May 4</a></blockquote>'
    )

    assert article.html.startswith('<div class="embed"><blockquote><p>High water!</p>')
    assert '<a href="https://twitter.com/tormod/status/1">twitter.com</a>' in article.html


def test_iframe_without_a_url_is_removed_and_noted(make_article: MakeArticle) -> None:
    article = make_article('<p>a</p><iframe src="javascript:x"></iframe>')

    assert article.html == "<p>a</p>"
    assert "without a URL" in article.notes[0]


@pytest.mark.parametrize(
    ("html", "title", "url"),
    [
        (
            '<iframe src="https://bandcamp.example/p/1"><a href="https://b.example/r">Rain</a></iframe>',
            "Rain",
            "https://b.example/r",
        ),
        (
            '<iframe src="https://www.youtube.com/embed/x"><a href="https://b.example/">R</a></iframe>',
            "R",
            "https://www.youtube.com/watch?v=x",
        ),
        (
            (
                '<iframe src="https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/1">'
                '<a href="https://soundcloud.com/a/b">Rain</a></iframe>'
            ),
            "Rain",
            "https://soundcloud.com/a/b",
        ),
        (
            '<figure><iframe src="//a.example/e"></iframe><figcaption>Low</figcaption></figure>',
            "Low",
            "https://a.example/e",
        ),
        ('<iframe src="https://a.example/e"></iframe>', "a.example", "https://a.example/e"),
    ],
)
def test_card_has_the_title_that_the_author_gave(
    html: str, title: str, url: str, make_article: MakeArticle
) -> None:
    article = make_article(html)
    assert f'<p class="embed-title"><a href="{url}">{title}</a></p>' in article.html
    assert article.html.count(f">{title}<") == 1


def test_caption_with_markup_stays(make_article: MakeArticle) -> None:
    html = make_article(
        '<figure><iframe src="https://a.example/e"></iframe>'
        '<figcaption>By <a href="https://b.example/">Ada</a></figcaption></figure>'
    ).html
    assert '<a href="https://a.example/e">By Ada</a>' in html
    assert 'By <a href="https://b.example/">Ada</a>' in html
