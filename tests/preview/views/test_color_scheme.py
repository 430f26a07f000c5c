"""Colour schemes: light, dark and forced dark, whichever the browser prefers."""

import pytest

from newsletter.preview.views.color_scheme import apply_color_scheme

EMAIL = (
    "<!DOCTYPE html><html><head><style>"
    "@media (prefers-color-scheme: dark) { p { color: #eee } }"
    "@media (prefers-color-scheme:light) { p { color: #111 } }"
    '</style></head><body bgcolor="#ffffff"><p style="color: #111111; background: white">x</p>'
    '<p style="color: #f8f8f8; background-color: rgba(20, 20, 20, 0.5)">y</p></body></html>'
)


def test_dark_applies_the_emails_own_rules() -> None:
    html = apply_color_scheme(EMAIL, "dark")
    assert "@media (min-width: 0) { p { color: #eee } }" in html
    assert "@media (min-width: 99999px) { p { color: #111 } }" in html
    assert "color-scheme: dark" in html


def test_light_disables_dark_mode_rules() -> None:
    html = apply_color_scheme(EMAIL, "light")
    assert "@media (min-width: 99999px) { p { color: #eee } }" in html
    assert 'style="color: #111111; background: white"' in html


@pytest.mark.parametrize(
    ("color", "forced"),
    [
        ("rgb(90%,90%,90%)", "rgb(47, 47, 47)"),
        ("rgb(230, 230, 230)", "rgb(47, 47, 47)"),
        ("rgb(90% 90% 90% / 50%)", "rgba(47, 47, 47, 0.5)"),
        ("#e6e6e680", "rgba(47, 47, 47, 0.502)"),
        ("rgb(10%,20%,30%)", "rgb(10%,20%,30%)"),
        ("rgb(var(--c))", "rgb(var(--c))"),
    ],
)
def test_forced_dark_reads_every_notation_of_a_color(color: str, forced: str) -> None:
    html = apply_color_scheme(f'<p style="background-color: {color}">x</p>', "forced")
    assert f"background-color: {forced};" in html


def test_forced_dark_inverts_light_colors_and_keeps_dark_ones() -> None:
    html = apply_color_scheme(EMAIL, "forced")
    assert "@media (min-width: 99999px) { p { color: #eee } }" in html
    assert 'bgcolor="rgb(26, 26, 26)"' in html
    assert "background: rgb(26, 26, 26);" in html
    assert "color: #f8f8f8; background-color: rgba(20, 20, 20, 0.5);" in html
