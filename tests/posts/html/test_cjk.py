"""Line ends in Chinese and Japanese text."""

import pytest

from newsletter.posts.html.cjk import collapse_spaces


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("潮が\n引く", "潮が引く"),
        ("潮が\n  tide", "潮が tide"),
        ("潮 が", "潮 が"),
        ("조수가\n빠진다", "조수가 빠진다"),
        ("a\n b", "a b"),
    ],
)
def test_text_on_one_line(text: str, line: str) -> None:
    assert collapse_spaces(text) == line
