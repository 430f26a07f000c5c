"""What fails in which mail client, and for how many readers."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from newsletter.checks.analysis.client_support import (
    AS_OF,
    CLIENTS,
    FEATURES,
    PUBLISHED_SHARES,
    ClientShares,
)
from newsletter.checks.check_context import CheckContext
from newsletter.checks.rules import clients
from newsletter.checks.rules.clients import ESSENTIAL_FEATURES, OPTIONAL_FEATURES
from newsletter.checks.rules.images import unsupported_image

MakeMail = Callable[..., CheckContext]


@pytest.fixture
def with_html(make_mail: MakeMail) -> Callable[..., CheckContext]:
    def make(html: str, shares: ClientShares = PUBLISHED_SHARES) -> CheckContext:
        mail = make_mail(client_shares=shares)
        changed = mail.email.html.replace("</body>", f"{html}</body>")
        return replace(mail, email=replace(mail.email, html=changed))

    return make


def found(mail: CheckContext) -> list[str]:
    rules = (clients.client_breaks, clients.client_differs)
    return [f"{one.rule}: {one.message}" for rule in rules for one in rule.find(mail)]


def test_the_facts_are_whole_and_dated() -> None:
    assert set(PUBLISHED_SHARES.by_client) == set(CLIENTS)
    assert "css-display-flex" in CLIENTS["outlook"].unsupported
    assert "css-display-flex" not in CLIENTS["apple_mail"].unsupported
    assert all(
        "2019-01-01" <= fact.tested_on <= AS_OF for fact in FEATURES.values() if fact.tested_on
    )


def test_every_feature_that_is_judged_has_facts() -> None:
    assert set(ESSENTIAL_FEATURES) | OPTIONAL_FEATURES <= set(FEATURES)
    assert not set(ESSENTIAL_FEATURES) & OPTIONAL_FEATURES


def test_a_finding_names_clients_readers_and_what_they_see(
    with_html: Callable[..., CheckContext],
) -> None:
    (one,) = found(with_html('<video src="https://boats.example/a.mp4"></video>'))
    assert one == (
        "client-breaks: <video> isn't known to Gmail, Gmail app, Outlook for Windows and 2 "
        "more (40% of readers): nothing is shown in its place"
    )


@pytest.mark.parametrize(
    "html",
    [
        '<p style="display:block;display:flex">An earlier value is shown instead</p>',
        '<p style="background-color:#fff;background-image:url(a.png)">So is a colour</p>',
        '<video src="https://boats.example/a.mp4"><p>A film of boats</p></video>',
        "<style>@media (min-width: 600px) { p { display: flex } }</style>",
        '<p style="border-radius:9px;box-shadow:0 0 4px #000">Corners</p>',
        '<pre style="white-space:pre">It keeps its lines</pre>',
        '<p style="-webkit-hyphens:auto;mso-line-height-rule:exactly">By one engine alone</p>',
    ],
)  # fmt: skip
def test_what_falls_back_is_not_told(with_html: Callable[..., CheckContext], html: str) -> None:
    assert found(with_html(html)) == []


def test_what_is_hidden_from_outlook_does_not_fail_there(
    with_html: Callable[..., CheckContext],
) -> None:
    flex = '<p style="display:flex">Boats</p>'
    assert "Outlook for Windows" in found(with_html(flex))[0]
    assert found(with_html(f"<!--[if !mso]><!-->{flex}<!--<![endif]-->")) == []


def test_own_readers_count_instead_of_published_shares(
    with_html: Callable[..., CheckContext],
) -> None:
    flex = '<p style="display:flex">Boats</p>'
    nobody = ClientShares({"gmail": 0.7, "apple_mail": 0.3}, "your readers")
    assert found(with_html(flex, nobody)) == []
    few = ClientShares({"outlook": 0.03, "apple_mail": 0.97}, "your readers")
    assert found(with_html(flex, few))[0].startswith("client-differs")
    many = ClientShares({"outlook": 0.6}, "your readers")
    assert "client-breaks" in found(with_html(flex, many))[0]
    assert "(60% of your readers)" in found(with_html(flex, many))[0]


def test_a_style_sheet_is_looked_at_too(with_html: Callable[..., CheckContext]) -> None:
    (one,) = found(with_html("<style>.a::before { content: 'Boats' }</style>"))
    assert "::before" in one
    assert "what it brings is missing" in one


def test_an_image_is_judged_by_its_type(make_mail: MakeMail) -> None:
    body = '<img src="https://boats.example/a.{}" alt="A boat" width="9" height="9">'
    (svg,) = unsupported_image.find(make_mail(body.format("svg")))
    assert "Gmail" in svg.message
    only_apple = ClientShares({"apple_mail": 1.0})
    assert unsupported_image.find(make_mail(body.format("webp"), client_shares=only_apple)) == []


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ('<input type="checkbox">', "checkbox"),
        ("<button>Send</button>", "no field"),
        ("<p hidden>Not yet</p>", "what is hidden is shown"),
        ('<p style="position:absolute;top:0">Up</p>', "not where it was put"),
        ('<p style="width:calc(100% - 9px)">Wide</p>', "a size"),
        ('<p style="color:var(--ink)">Ink</p>', "a colour or a size"),
        ('<p style="background:url(https://a.example/a.png)">Ground</p>', "without the picture"),
        ("<style>@import url(https://a.example/a.css);</style>", "none of those styles"),
        ("<style>p::after { content: 'x' }</style>", "what it brings"),
    ],
)
def test_features_are_found_where_they_stand(
    with_html: Callable[..., CheckContext], html: str, says: str
) -> None:
    everybody = ClientShares(dict.fromkeys(CLIENTS, 1.0))
    assert any(says in one for one in found(with_html(html, everybody)))


@pytest.mark.parametrize(
    "html",
    [
        '<p style="position:relative;top:1px">Here</p>',
        '<p style="display:inline-block">Here</p>',
        '<p style="background:#fff">Here</p>',
        "<style>a:hover { color: red }</style>",
    ],
)
def test_what_every_client_knows_is_not_told(
    with_html: Callable[..., CheckContext], html: str
) -> None:
    assert found(with_html(html)) == []
