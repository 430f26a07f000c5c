"""Styles: a background keeps its color, and text never loses the ground it needs."""

import pytest

from newsletter.posts.html.safe_styles import sanitize_style


@pytest.mark.parametrize(
    ("style", "safe"),
    [
        ("background: #4A90E2; color: white", "background-color:#4A90E2;color:white"),
        ("background:linear-gradient(90deg, #222 0%, #333)", "background-color:#222"),
        ("background: url(a.png) no-repeat center / cover teal", "background-color:teal"),
        (
            "background-image:linear-gradient(to right, rgb(1,2,3), red)",
            "background-color:rgb(1,2,3)",
        ),
        ("background:radial-gradient(circle at top, navy, #fff)", "background-color:navy"),
        ("background:url(red.png);color:#fff", None),
        ("background:var(--ground);color:#fff;width:9px", "width:9px"),
        ("background-color:var(--x);color:#fff", None),
        ("background:#123;color:var(--ink)", None),
        ("background:none;color:#123", "color:#123"),
        ("background:transparent;color:#123", "color:#123"),
        ("background-color:#123", "background-color:#123"),
        ("color:#123", "color:#123"),
        ("background:#fff !important; color:#000", "background-color:#fff;color:#000"),
        ("position:fixed", None),
    ],
)
def test_safe_styles(style: str, safe: str | None) -> None:
    assert sanitize_style(style) == safe
