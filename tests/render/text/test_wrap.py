"""Wrapping of text, measured in columns."""

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.text.wrap import get_display_width, wrap_text

KANJI = "\u6f6e"


def test_display_width_of_wide_and_combining_characters() -> None:
    assert get_display_width(f"a{KANJI}e\u0301\u2019") == 5


def test_unspaced_scripts_break_between_characters_but_not_at_punctuation() -> None:
    assert wrap_text("\u6f6e\u306e\u5f15\u304d\u3002\u6ee1\u3061", 8) == [
        "\u6f6e\u306e\u5f15",
        "\u304d\u3002\u6ee1\u3061",
    ]
    assert wrap_text("\u6f6e\u306e\u300c\u5f15\u304d\u300d", 6) == [
        "\u6f6e\u306e",
        "\u300c\u5f15",
        "\u304d\u300d",
    ]


def test_url_among_unspaced_characters_is_not_broken() -> None:
    assert wrap_text(f"{KANJI * 3}https://a.example/b{KANJI}", 10) == [
        KANJI * 3,
        "https://a.example/b",
        KANJI,
    ]


def test_word_breaks_at_zero_width_space() -> None:
    assert wrap_text("har\u200bbour \u00e9", 4) == ["har", "bour", "\u00e9"]


def test_forced_line_breaks_are_kept() -> None:
    assert wrap_text("a\n\nb", 9) == ["a", "", "b"]


WORDS = st.text(
    st.sampled_from("ab\u00e9\u2019\u0628\u6f6e\u3002\u300c\u200b\U0001f30a"),
    min_size=1,
    max_size=12,
)


@given(st.lists(WORDS, min_size=1, max_size=30), st.integers(4, 40))
def test_lines_are_as_long_as_fits_and_no_text_is_lost(words: list[str], width: int) -> None:
    text = " ".join(words)

    lines = wrap_text(text, width)

    assert re.sub("[ \u200b]", "", "".join(lines)) == re.sub("[ \u200b]", "", text)
    for line in lines:
        assert get_display_width(line) <= width or not re.search(" |\u6f6e\u6f6e|\u200b", line)
    for line, following in pairwise(lines):
        first = re.match("[^ \u6f6e\u3002\u300c\u200b]+ ", following)
        if first and not re.search("[\u6f6e\u3002\u300c\u200b]", text):
            assert get_display_width(f"{line} {first[0].strip()}") > width
