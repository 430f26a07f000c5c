"""Where links lead: absolute, marked where they are the newsletter's own, safe."""

from collections.abc import Callable

import pytest

from newsletter.config.models import Config, UtmSettings
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.article.build import Article, build_article
from newsletter.render.article.links import UrlResolver, add_parameters, is_same_address

LinkOf = Callable[..., str | None]

UTM = UtmSettings(source="letter", medium="email", campaign="{slug}")
MARKS = "utm_source=letter&utm_medium=email&utm_campaign=the-tide"


@pytest.fixture
def link_of(issue_of: Callable[..., Issue], config_of: Callable[..., Config]) -> LinkOf:
    """Where a mail links to for an ``href`` of the post."""

    def link(href: str, post: dict[str, object] | None = None, **settings: object) -> str | None:
        return UrlResolver.for_issue(
            issue_of("", post=post or {}), config_of(**settings)
        ).resolve_link(href)

    return link


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://Sea.example/A?b=%7E&c=~#d", "https://Sea.example/A?b=%7E&c=~#d"),
        ("//sea.example/a", "https://sea.example/a"),
        ("../log", "https://blog.example/2026/log"),
        ("?page=2", "https://blog.example/2026/11/tide?page=2"),
        ("#nowhere", "https://blog.example/2026/11/tide#nowhere"),
        (" ht\ntps://sea.example/ ", "https://sea.example/"),
        ("mailto:a@b.example?subject=Hi%20there", "mailto:a@b.example?subject=Hi%20there"),
        ("tel:+4755", "tel:+4755"),
        ("sms:+4755", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("https://", None),
        ("http://[broken", None),
    ],
)
def test_links_are_absolute_or_nothing(href: str, expected: str | None, link_of: LinkOf) -> None:
    assert link_of(href, {"canonical_url": "https://blog.example/2026/11/tide"}) == expected


def test_the_base_is_the_post_then_the_issue_then_the_site(link_of: LinkOf) -> None:
    issue_url = "https://letters.example/{slug}/"

    assert link_of("a", {"canonical_url": "https://b.example/c/"}, issue_url=issue_url) == (
        "https://b.example/c/a"
    )
    assert link_of("a", issue_url=issue_url) == "https://letters.example/the-tide/a"
    assert link_of("a", site_url="https://site.example/x") == "https://site.example/x/a"


def test_a_link_to_a_local_image_leads_to_where_it_is_published(link_of: LinkOf) -> None:
    post: dict[str, object] = {"images": {"big one.jpg": LocalImage("big one.jpg", 9, 9, 9)}}

    url = link_of("big one.jpg", post, image_url="https://img.example/{slug}/{file}")

    assert url == "https://img.example/the-tide/big%20one.jpg"


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://harbournotes.example", f"https://harbournotes.example?{MARKS}"),
        ("https://www.harbournotes.example/a", f"https://www.harbournotes.example/a?{MARKS}"),
        ("https://news.example/a?", f"https://news.example/a?{MARKS}"),
        ("/a?z=1&y=%2F+~#top", f"https://harbournotes.example/a?z=1&y=%2F+~&{MARKS}#top"),
        ("/a?utm_source=me", f"https://harbournotes.example/a?utm_source=me&{MARKS[18:]}"),
        ("/a?x=1&", f"https://harbournotes.example/a?x=1&{MARKS}"),
        ("https://blog.harbournotes.example/", "https://blog.harbournotes.example/"),
        ("https://sea.example/", "https://sea.example/"),
        ("mailto:a@harbournotes.example", "mailto:a@harbournotes.example"),
        ("-nlunsubscribeh-", "-nlunsubscribeh-"),
        ("https://news.example/p/-nlpreferencesh-", "https://news.example/p/-nlpreferencesh-"),
    ],
)
def test_utm_parameters_are_added_to_own_links_alone(
    href: str, expected: str, link_of: LinkOf
) -> None:
    post = {"canonical_url": "https://harbournotes.example/tide"}

    assert link_of(href, post, utm=UTM, public_url="https://news.example") == expected


def test_nothing_is_added_where_nothing_is_configured(link_of: LinkOf) -> None:
    assert link_of("/a?b") == "https://harbournotes.example/a?b"


def test_all_that_is_there_stays_as_it_is() -> None:
    full = "https://a.example/?UTM_Source=x&utm%5fmedium=y"

    assert add_parameters(full, (("utm_source", "s"), ("utm_medium", "m"))) == full
    assert add_parameters("/?a#?b", (("n", "1 2&3"),)) == "/?a&n=1%202%263#?b"


def test_merge_tokens_in_addresses_become_url_tokens(link_of: LinkOf) -> None:
    assert link_of("https://sea.example/-nl0h-?to=-nl12h-") == (
        "https://sea.example/-nl0u-?to=-nl12u-"
    )


@pytest.fixture
def article_of(
    issue_of: Callable[..., Issue], config_of: Callable[..., Config]
) -> Callable[[str], Article]:
    return lambda body: build_article(issue_of(body), config_of())


def test_links_that_lead_nowhere_become_text_and_are_told(
    article_of: Callable[[str], Article],
) -> None:
    article = article_of(
        '<p><a href="sms:1">a</a> <a href="#">b</a> <a>c</a> <a href="/d"></a>e</p>'
    )

    assert article.html == "<p>a b c e</p>"
    assert len(article.notes) == 2


def test_a_link_inside_the_mail_stays_one(article_of: Callable[[str], Article]) -> None:
    html = article_of('<p id="a">x</p><p><a href="#a">up</a> <a href="#b">web</a></p>').html

    assert '<a href="#a">up</a>' in html
    assert '<a href="https://harbournotes.example/#b">web</a>' in html


@pytest.mark.parametrize(
    ("text", "url", "same"),
    [
        ("https://sea.example/a", "https://sea.example/a?utm_source=x&utm_medium=y", True),
        ("https://sea.example", "https://sea.example/", True),
        ("https://sea.example/\u6f6e", "https://sea.example/%E6%BD%AE", True),
        ("a@b.example", "mailto:a@b.example", True),
        ("the log", "https://sea.example/", False),
        ("https://sea.example/a", "https://evil.example/a", False),
    ],
)
def test_words_that_are_the_address_are_known(text: str, url: str, same: bool) -> None:  # noqa: FBT001
    assert is_same_address(text, url) is same
