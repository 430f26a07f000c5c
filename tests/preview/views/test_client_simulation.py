"""Clients leave out what they are known not to support, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.checks.analysis.client_support import CLIENTS
from newsletter.checks.analysis.css_parser import parse_declarations, parse_rules
from newsletter.checks.rules.size import GMAIL_CLIP_BYTES
from newsletter.preview.views.client_simulation import simulate_client

MAIL = """<!DOCTYPE html><html><head><style>
@media (prefers-color-scheme: dark) { .a { color: #fff } }
@media (max-width: 480px) { .a { padding: 4px } }
.b, [data-ogsc] .b { color: red; box-shadow: 0 0 2px #000 }
</style></head><body>
<!--[if mso]><p>for Word</p><![endif]-->
<!--[if !mso]><!--><p>for others</p><!--<![endif]-->
<div style="border-radius: 8px; color: blue">text<svg><path d="M0 0"/></svg></div>
</body></html>"""


def test_what_is_unsupported_goes_and_is_counted() -> None:
    result = simulate_client(
        MAIL, "any", {"css-box-shadow", "css-at-media-prefers-color-scheme", "html-svg"}
    )
    assert "box-shadow" not in result.html
    assert "prefers-color-scheme" not in result.html
    assert "<svg" not in result.html
    assert "max-width: 480px" in result.html
    assert "color: red" in result.html
    assert result.stripped_features == {
        "css-box-shadow": 1, "css-at-media-prefers-color-scheme": 1, "html-svg": 1,
    }  # fmt: skip


def test_one_unsupported_selector_leaves_the_others() -> None:
    html = simulate_client(MAIL, "any", {"css-selector-attribute"}).html
    assert "data-ogsc" not in html
    assert ".b {" in html


def test_outlook_for_windows_reads_its_comments_and_not_those_for_others() -> None:
    html = simulate_client(MAIL, "outlook", CLIENTS["outlook"].unsupported).html
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
def test_conditions_are_those_of_todays_outlook(when: str, *, shown: bool) -> None:
    mail = f"<html><head></head><body><!--[if {when}]><p>here</p><![endif]--></body></html>"
    assert ("here" in simulate_client(mail, "outlook", frozenset()).html) is shown


def test_other_clients_read_no_comments() -> None:
    html = simulate_client(MAIL, "gmail", CLIENTS["gmail"].unsupported).html
    assert "<!--[if mso]>" in html
    assert "for others" in html


def test_gmail_clips_at_102_kilobytes() -> None:
    long = MAIL.replace("text", "long words " * 10_000)
    result = simulate_client(long, "gmail", frozenset())
    assert result.clipped_bytes == len(long.encode()) - GMAIL_CLIP_BYTES
    assert "[Message clipped]" in result.html
    assert not simulate_client(MAIL, "gmail", frozenset()).clipped_bytes
    assert not simulate_client(long, "yahoo", frozenset()).clipped_bytes


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_supports_all_changes_no_words(client: str) -> None:
    html = simulate_client(MAIL, client, frozenset()).html
    assert "text" in html


@given(st.text(alphabet=st.sampled_from("ab:;{}()\"'@/*, \n#-!"), max_size=200))
def test_any_css_is_read_without_end_or_error(css: str) -> None:
    for rule in parse_rules(css):
        list(parse_declarations(rule.body or ""))


def test_marks_within_quotes_and_brackets_end_nothing() -> None:
    css = 'a { background: url(data:image/png;base64,AA==); content: "};" } b { color: red }'
    first, second = parse_rules(css)
    assert [one.name for one in parse_declarations(first.body or "")] == ["background", "content"]
    assert second.prelude == "b"
