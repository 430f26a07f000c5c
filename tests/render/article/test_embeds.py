"""What mail can't play becomes a card that leads to it."""

from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.posts.html.sanitize import sanitize_html
from newsletter.posts.issue import Issue
from newsletter.render.article.build import Article, build_article
from newsletter.render.article.embeds import find_embed_page

ArticleOf = Callable[[str], Article]


@pytest.fixture
def article_of(issue_of: Callable[..., Issue], config_of: Callable[..., Config]) -> ArticleOf:
    return lambda body: build_article(issue_of(sanitize_html(body)), config_of())


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
def test_a_frame_leads_to_its_public_page(src: str, page: str) -> None:
    assert find_embed_page(src).url == page


def test_a_youtube_video_becomes_a_still_and_a_title(article_of: ArticleOf) -> None:
    article = article_of(
        '<iframe src="https://www.youtube.com/embed/x" title="One tide" width="560"></iframe>'
    )

    assert article.images == ("https://i.ytimg.com/vi/x/hqdefault.jpg",)
    assert article.links == ("https://www.youtube.com/watch?v=x",)
    assert (
        '<p class="embed-title"><a href="https://www.youtube.com/watch?v=x">One tide</a></p>'
        in (article.html)
    )
    assert '<p class="embed-host">youtube.com</p>' in article.html
    assert "iframe" not in article.html
    assert any("One tide" in note for note in article.notes)


def test_a_frame_without_a_title_is_named_by_its_host(article_of: ArticleOf) -> None:
    html = article_of('<iframe src="https://www.films.example/1"></iframe>').html

    assert html == (
        '<div class="embed"><p class="embed-title">'
        '<a href="https://www.films.example/1">films.example</a></p></div>'
    )


def test_video_and_audio_lead_to_their_files(article_of: ArticleOf) -> None:
    article = article_of(
        '<video poster="/p.jpg"><source src="/v.mp4"></video>'
        '<audio src="/a.mp3" title="Bell"></audio>'
    )

    assert article.links == (
        "https://harbournotes.example/v.mp4",
        "https://harbournotes.example/a.mp3",
    )
    assert article.images == ("https://harbournotes.example/p.jpg",)


def test_cards_of_one_paragraph_follow_it_in_order(article_of: ArticleOf) -> None:
    html = article_of(
        '<p>See <video src="/1" title="one"></video> and <video src="/2" title="two"></video>.</p>'
        "<p>After.</p>"
    ).html

    assert html.startswith('<p>See  and .</p><div class="embed">')
    assert html.index(">one<") < html.index(">two<") < html.index("After.")


def test_a_paragraph_that_was_only_a_frame_is_the_card(article_of: ArticleOf) -> None:
    html = article_of('<p><video src="/1" title="one"></video></p>').html

    assert html.startswith('<div class="embed">')


def test_an_embedded_post_keeps_its_words(article_of: ArticleOf) -> None:
    article = article_of(
        '<blockquote class="twitter-tweet"><p>High water!</p>&mdash; Tormod '
        '<a href="https://twitter.com/tormod/status/1">May 4</a></blockquote>'
    )

    assert article.html.startswith('<div class="embed"><blockquote><p>High water!</p>')
    assert '<a href="https://twitter.com/tormod/status/1">twitter.com</a>' in article.html


def test_a_frame_without_an_address_goes_and_is_told(article_of: ArticleOf) -> None:
    article = article_of('<p>a</p><iframe src="javascript:x"></iframe>')

    assert article.html == "<p>a</p>"
    assert "without an address" in article.notes[0]
