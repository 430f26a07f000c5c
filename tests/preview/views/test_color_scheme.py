"""Colour schemes: light, dark and forced dark, whichever the browser prefers."""

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


def test_forced_dark_inverts_light_colors_and_keeps_dark_ones() -> None:
    html = apply_color_scheme(EMAIL, "forced")
    assert "@media (min-width: 99999px) { p { color: #eee } }" in html
    assert 'bgcolor="rgb(26, 26, 26)"' in html
    assert "background: rgb(26, 26, 26);" in html
    assert "color: #f8f8f8; background-color: rgba(20, 20, 20, 0.5);" in html
