import datetime
from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.render.locale import format_date, get_text_direction


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", "ltr"), ("ar", "rtl"), ("he", "rtl"), ("fa-AF", "rtl"), ("ur", "rtl"),
        ("az-Arab", "rtl"), ("ar-Latn", "ltr"), ("ku-Arab-IQ", "rtl"), ("ku", "ltr"),
        ("AR-eg", "rtl"),
    ],
)  # fmt: skip
def test_direction_follows_the_script_of_the_language(
    lang: str, expected: str, make_config: Callable[..., Config]
) -> None:
    assert get_text_direction(lang, make_config()) == expected


def test_configured_direction_applies_to_the_newsletters_language(
    make_config: Callable[..., Config],
) -> None:
    config = make_config(language="ku", direction="rtl")
    assert get_text_direction("ku", config) == "rtl"
    assert get_text_direction("en", config) == "ltr"


@pytest.mark.parametrize(
    ("lang", "expected"),
    [("en", "2 November 2026"), ("en-GB", "2 November 2026"), ("nb", "2026-11-02")],
)
def test_date_format_follows_the_language(lang: str, expected: str) -> None:
    assert format_date(datetime.date(2026, 11, 2), lang) == expected
