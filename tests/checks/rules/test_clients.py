"""Findings on features that mail clients do not support, weighed by share."""

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

MakeContext = Callable[..., CheckContext]


@pytest.fixture
def with_html(make_context: MakeContext) -> Callable[..., CheckContext]:
    def make(html: str, shares: ClientShares = PUBLISHED_SHARES) -> CheckContext:
        context = make_context(client_shares=shares)
        changed = context.email.html.replace("</body>", f"{html}</body>")
        return replace(context, email=replace(context.email, html=changed))

    return make


def find_messages(context: CheckContext) -> list[str]:
    rules = (clients.client_breaks, clients.client_differs)
    return [
        f"{finding.rule}: {finding.message}" for rule in rules for finding in rule.find(context)
    ]


def test_support_data_is_complete_and_dated() -> None:
    assert set(PUBLISHED_SHARES.by_client) == set(CLIENTS)
    assert "css-display-flex" in CLIENTS["outlook"].unsupported
    assert "css-display-flex" not in CLIENTS["apple_mail"].unsupported
    assert all(
        "2019-01-01" <= feature.tested_on <= AS_OF
        for feature in FEATURES.values()
        if feature.tested_on
    )


def test_every_listed_feature_has_support_data() -> None:
    assert set(ESSENTIAL_FEATURES) | OPTIONAL_FEATURES <= set(FEATURES)
    assert not set(ESSENTIAL_FEATURES) & OPTIONAL_FEATURES


def test_finding_names_clients_share_and_effect(
    with_html: Callable[..., CheckContext],
) -> None:
    (message,) = find_messages(with_html('<video src="https://boats.example/a.mp4"></video>'))
    assert message == (
        "client-breaks: <video> isn't supported by Gmail, Gmail app, Outlook for Windows and 2 "
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
        '<p style="background:-moz-linear-gradient(left,#fff,#000)">By one engine alone</p>',
        "<p style=\"font-family:'a 1vw calc(1rem)',serif\">A name is no unit</p>",
        "<style>[data-ogsc] p { left: 1px } @media (hover) { p { color: red } }</style>",
    ],
)
def test_feature_with_a_fallback_is_not_reported(
    with_html: Callable[..., CheckContext], html: str
) -> None:
    assert find_messages(with_html(html)) == []


def test_content_hidden_from_outlook_is_not_reported(
    with_html: Callable[..., CheckContext],
) -> None:
    flex = '<p style="display:flex">Boats</p>'
    assert "Outlook for Windows" in find_messages(with_html(flex))[0]
    assert find_messages(with_html(f"<!--[if !mso]><!-->{flex}<!--<![endif]-->")) == []


def test_own_shares_replace_published_ones(
    with_html: Callable[..., CheckContext],
) -> None:
    flex = '<p style="display:flex">Boats</p>'
    without_outlook = ClientShares({"gmail": 0.7, "apple_mail": 0.3}, "your readers")
    assert find_messages(with_html(flex, without_outlook)) == []
    few_outlook = ClientShares({"outlook": 0.03, "apple_mail": 0.97}, "your readers")
    assert find_messages(with_html(flex, few_outlook))[0].startswith("client-differs")
    many_outlook = ClientShares({"outlook": 0.6}, "your readers")
    assert "client-breaks" in find_messages(with_html(flex, many_outlook))[0]
    assert "(60% of your readers)" in find_messages(with_html(flex, many_outlook))[0]


def test_style_sheet_is_checked(with_html: Callable[..., CheckContext]) -> None:
    (message,) = find_messages(with_html("<style>.a::before { content: 'Boats' }</style>"))
    assert "::before" in message
    assert "its content is missing" in message


def test_unsupported_image_type_is_reported(make_context: MakeContext) -> None:
    body = '<img src="https://boats.example/a.{}" alt="A boat" width="9" height="9">'
    (svg,) = unsupported_image.find(make_context(body.format("svg")))
    assert "Gmail" in svg.message
    only_apple = ClientShares({"apple_mail": 1.0})
    assert unsupported_image.find(make_context(body.format("webp"), client_shares=only_apple)) == []


@pytest.mark.parametrize(
    ("html", "effect"),
    [
        ('<input type="checkbox">', "checkbox"),
        ("<button>Send</button>", "no field"),
        ("<p hidden>Not yet</p>", "what is hidden is shown"),
        ('<p style="position:absolute;top:0">Up</p>', "not where it was positioned"),
        ('<p style="width:calc(100% - 9px)">Wide</p>', "a size"),
        ('<p style="columns:2">Two columns</p>', "stacked"),
        ('<p style="color:var(--ink)">Ink</p>', "a colour or a size"),
        ('<p style="background:url(https://a.example/a.png)">Ground</p>', "without the image"),
        ("<style>@import url(https://a.example/a.css);</style>", "those styles are missing"),
        ("<style>p::after { content: 'x' }</style>", "its content is missing"),
    ],
)
def test_feature_is_found_in_tags_attributes_and_styles(
    with_html: Callable[..., CheckContext], html: str, effect: str
) -> None:
    everybody = ClientShares(dict.fromkeys(CLIENTS, 1.0))
    assert any(effect in message for message in find_messages(with_html(html, everybody)))


@pytest.mark.parametrize(
    "html",
    [
        '<p style="position:relative;top:1px">Here</p>',
        '<p style="display:inline-block">Here</p>',
        '<p style="background:#fff">Here</p>',
        "<style>a:hover { color: red }</style>",
    ],
)
def test_widely_supported_feature_is_not_reported(
    with_html: Callable[..., CheckContext], html: str
) -> None:
    assert find_messages(with_html(html)) == []
