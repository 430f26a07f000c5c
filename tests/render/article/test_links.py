"""Links of an article: absolute, safe, with UTM parameters on the newsletter's own sites."""

from collections.abc import Callable

import pytest

from newsletter.config.models import Config, UtmSettings
from newsletter.posts.issue import Issue
from newsletter.posts.post import LocalImage
from newsletter.render.article.build import Article, build_article
from newsletter.render.article.links import UrlResolver, add_parameters, is_same_address

ResolveLink = Callable[..., str | None]

UTM = UtmSettings(source="letter", medium="email", campaign="{slug}")
UTM_QUERY = "utm_source=letter&utm_medium=email&utm_campaign=the-tide"


@pytest.fixture
def resolve_link(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> ResolveLink:
    """Return a function that resolves an ``href`` of the post."""

    def resolve(href: str, post: dict[str, object] | None = None, **settings: object) -> str | None:
        return UrlResolver.for_issue(
            make_issue("", post=post or {}), make_config(**settings)
        ).resolve_link(href)

    return resolve


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
        (
            "https://b\u00fccher.example/\u00fc?\u00fc",
            "https://xn--bcher-kva.example/\u00fc?\u00fc",
        ),
        ("//B\u00dcCHER.example:8080", "https://xn--bcher-kva.example:8080"),
        ("https://b%C3%BCcher.example/", "https://xn--bcher-kva.example/"),
        ("https://ada@\u6f6e.example/", "https://ada@xn--ngx.example/"),
        ("https://\u2603.example/", "https://xn--n3h.example/"),
        ("https://a\u0301.example/", "https://xn--1ca.example/"),
        ("https://\u06dd.example/", "https://\u06dd.example/"),
        ("sms:+4755", None),
        ("javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("https://", None),
        ("http://[broken", None),
    ],
)
def test_link_is_resolved_or_dropped(
    href: str, expected: str | None, resolve_link: ResolveLink
) -> None:
    assert resolve_link(href, {"canonical_url": "https://blog.example/2026/11/tide"}) == expected


def test_base_url_is_the_post_then_the_site_wherever_the_issue_is_published(
    resolve_link: ResolveLink,
) -> None:
    issue_url = "https://letters.example/{slug}/"

    assert resolve_link("a", {"canonical_url": "https://b.example/c/"}, issue_url=issue_url) == (
        "https://b.example/c/a"
    )
    published = {"issue_url": issue_url, "public_url": "https://news.example"}
    assert resolve_link("a", **published) == "https://harbournotes.example/a"
    assert resolve_link("/a", **published) == "https://harbournotes.example/a"
    assert resolve_link("//cdn.example/a", **published) == "https://cdn.example/a"
    assert resolve_link("#a", **published) == "https://letters.example/the-tide/#a"
    assert resolve_link("a", site_url="https://site.example/x") == "https://site.example/x/a"


def test_link_to_a_local_image_uses_its_published_url(resolve_link: ResolveLink) -> None:
    post: dict[str, object] = {"images": {"big one.jpg": LocalImage("big one.jpg", 9, 9, 9)}}

    url = resolve_link("big one.jpg", post, image_url="https://img.example/{slug}/{file}")

    assert url == "https://img.example/the-tide/big%20one.jpg"


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("https://harbournotes.example", f"https://harbournotes.example?{UTM_QUERY}"),
        ("https://www.harbournotes.example/a", f"https://www.harbournotes.example/a?{UTM_QUERY}"),
        ("https://news.example/a?", f"https://news.example/a?{UTM_QUERY}"),
        ("/a?z=1&y=%2F+~#top", f"https://harbournotes.example/a?z=1&y=%2F+~&{UTM_QUERY}#top"),
        ("/a?utm_source=me", f"https://harbournotes.example/a?utm_source=me&{UTM_QUERY[18:]}"),
        ("/a?x=1&", f"https://harbournotes.example/a?x=1&{UTM_QUERY}"),
        ("https://blog.harbournotes.example/", "https://blog.harbournotes.example/"),
        ("https://sea.example/", "https://sea.example/"),
        ("mailto:a@harbournotes.example", "mailto:a@harbournotes.example"),
        ("-nlunsubscribeh-", "-nlunsubscribeh-"),
        ("https://news.example/p/-nlpreferencesh-", "https://news.example/p/-nlpreferencesh-"),
    ],
)
def test_utm_parameters_are_added_only_to_own_links(
    href: str, expected: str, resolve_link: ResolveLink
) -> None:
    post = {"canonical_url": "https://harbournotes.example/tide"}

    assert resolve_link(href, post, utm=UTM, public_url="https://news.example") == expected


def test_no_utm_parameters_without_configuration(resolve_link: ResolveLink) -> None:
    assert resolve_link("/a?b") == "https://harbournotes.example/a?b"


def test_existing_parameters_are_kept() -> None:
    full = "https://a.example/?UTM_Source=x&utm%5fmedium=y"

    assert add_parameters(full, (("utm_source", "s"), ("utm_medium", "m"))) == full
    assert add_parameters("/?a#?b", (("n", "1 2&3"),)) == "/?a&n=1%202%263#?b"


def test_merge_tokens_in_urls_become_url_tokens(resolve_link: ResolveLink) -> None:
    assert resolve_link("https://sea.example/-nl0h-?to=-nl12h-") == (
        "https://sea.example/-nl0u-?to=-nl12u-"
    )


@pytest.fixture
def make_article(
    make_issue: Callable[..., Issue], make_config: Callable[..., Config]
) -> Callable[[str], Article]:
    return lambda body: build_article(make_issue(body), make_config())


def test_unusable_links_become_text_and_are_noted(
    make_article: Callable[[str], Article],
) -> None:
    article = make_article(
        '<p><a href="sms:1">a</a> <a href="#">b</a> <a>c</a> <a href="/d"></a>e</p>'
    )

    assert article.html == "<p>a b c e</p>"
    assert len(article.notes) == 2


def test_link_within_the_email_is_kept(make_article: Callable[[str], Article]) -> None:
    html = make_article('<p id="a">x</p><p><a href="#a">up</a> <a href="#b">web</a></p>').html

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
def test_link_text_equal_to_its_url_is_recognized(text: str, url: str, same: bool) -> None:
    assert is_same_address(text, url) is same
