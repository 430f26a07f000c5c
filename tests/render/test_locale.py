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
    lang: str, expected: str, config_of: Callable[..., Config]
) -> None:
    assert get_text_direction(lang, config_of()) == expected


def test_a_configured_direction_is_for_the_newsletters_own_language(
    config_of: Callable[..., Config],
) -> None:
    config = config_of(language="ku", direction="rtl")
    assert get_text_direction("ku", config) == "rtl"
    assert get_text_direction("en", config) == "ltr"


@pytest.mark.parametrize(
    ("lang", "expected"),
    [("en", "2 November 2026"), ("en-GB", "2 November 2026"), ("nb", "2026-11-02")],
)
def test_dates_are_written_so_that_the_language_reads_them(lang: str, expected: str) -> None:
    assert format_date(datetime.date(2026, 11, 2), lang) == expected
