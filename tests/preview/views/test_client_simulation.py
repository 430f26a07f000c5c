"""Client simulation: strips unsupported features and nothing else."""

import pytest

from newsletter.checks.analysis.client_support import CLIENTS
from newsletter.preview.views.client_simulation import simulate_client
from newsletter.render.clip_size import GMAIL_CLIP_BYTES

EMAIL = """<!DOCTYPE html><html><head><style>
@media (prefers-color-scheme: dark) { .a { color: #fff } }
@media (max-width: 480px) { .a { padding: 4px } }
.b, [data-ogsc] .b { color: red; box-shadow: 0 0 2px #000 }
</style></head><body>
<!--[if mso]><p>for Word</p><![endif]-->
<!--[if !mso]><!--><p>for others</p><!--<![endif]-->
<div style="border-radius: 8px; color: blue">text<svg><path d="M0 0"/></svg></div>
</body></html>"""


def test_unsupported_features_are_stripped_and_counted() -> None:
    result = simulate_client(
        EMAIL, "any", {"css-box-shadow", "css-at-media-prefers-color-scheme", "html-svg"}
    )
    assert "box-shadow" not in result.html
    assert "prefers-color-scheme" not in result.html
    assert "<svg" not in result.html
    assert "max-width: 480px" in result.html
    assert "color: red" in result.html
    assert result.stripped_features == {
        "css-box-shadow": 1,
        "css-at-media-prefers-color-scheme": 1,
        "html-svg": 1,
    }


@pytest.mark.parametrize(
    ("client", "is_kept"), [("gmail", False), ("thunderbird", False), ("apple_mail", True)]
)
def test_dark_twin_of_an_image_is_kept_where_it_is_shown(client: str, *, is_kept: bool) -> None:
    source = '<source media="(prefers-color-scheme: dark)" srcset="a.dark.png">'
    image = '<img src="a.png">'
    email = f"<html><head></head><body><picture>{source}{image}</picture></body></html>"
    result = simulate_client(email, client, CLIENTS[client].unsupported)
    assert (source in result.html, image in result.html) == (is_kept, True)
    assert bool(result.stripped_features) is not is_kept


def test_unsupported_selector_is_removed_from_its_list() -> None:
    html = simulate_client(EMAIL, "any", {"css-selector-attribute"}).html
    assert "data-ogsc" not in html
    assert ".b {" in html


def test_outlook_conditional_comments_are_expanded() -> None:
    html = simulate_client(EMAIL, "outlook", CLIENTS["outlook"].unsupported).html
    assert "<p>for Word</p>" in html
    assert "for others" not in html
    assert "border-radius" not in html
    assert "@media" not in html


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        ("mso", True), ("mso | IE", True), ("gte mso 9", True), ("(gte mso 9)|(IE)", True),
        ("lte mso 11", False), ("mso 12", False), ("!mso", False), ("!(mso)", False),
        ("IE", False), ("gt mso 15", True),
    ],
)  # fmt: skip
def test_conditions_match_current_outlook(when: str, *, shown: bool) -> None:
    email = f"<html><head></head><body><!--[if {when}]><p>here</p><![endif]--></body></html>"
    assert ("here" in simulate_client(email, "outlook", frozenset()).html) is shown


def test_other_clients_ignore_conditional_comments() -> None:
    html = simulate_client(EMAIL, "gmail", CLIENTS["gmail"].unsupported).html
    assert "<!--[if mso]>" in html
    assert "for others" in html


def test_gmail_clips_at_102_kilobytes() -> None:
    long = EMAIL.replace("text", "long words " * 10_000)
    result = simulate_client(long, "gmail", frozenset())
    assert result.clipped_bytes == len(long.encode()) - GMAIL_CLIP_BYTES
    assert "[Message clipped]" in result.html
    assert not simulate_client(EMAIL, "gmail", frozenset()).clipped_bytes
    assert not simulate_client(long, "yahoo", frozenset()).clipped_bytes


@pytest.mark.parametrize("client", CLIENTS)
def test_client_that_supports_everything_keeps_the_text(client: str) -> None:
    html = simulate_client(EMAIL, client, frozenset()).html
    assert "text" in html


def test_rules_in_rules_are_stripped_however_deep_they_are_nested() -> None:
    nested = EMAIL.replace(
        "@media (max-width: 480px) {",
        f"{'@media x { ' * 5_000}a {{ color: red }} {'}' * 5_000} @supports (a: b) {{ @media x {{",
    ).replace("4px } }", "4px } } }")
    html = simulate_client(nested, "any", {"css-padding"}).html
    assert "padding" not in html
    assert html.count("@media x {") == 5_001
