import datetime
from collections.abc import Callable

import pytest

from newsletter.config.models import Config
from newsletter.render.locale import format_date, format_number, get_text_direction


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", "ltr"), ("ar", "rtl"), ("he", "rtl"), ("iw", "rtl"), ("fa-AF", "rtl"),
        ("ur", "rtl"), ("yi", "rtl"), ("dv", "rtl"), ("ckb", "rtl"), ("nqo", "rtl"),
        ("arc", "rtl"), ("ug-CN", "rtl"), ("az-Arab", "rtl"), ("az-IR", "rtl"), ("az", "ltr"),
        ("pa-PK", "rtl"), ("pa", "ltr"), ("ar-Latn", "ltr"), ("ku-Arab-IQ", "rtl"),
        ("ku", "ltr"), ("AR-eg", "rtl"), ("zh-Hant-TW", "ltr"), ("x-klingon", "ltr"),
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
    [
        ("en", "2 November 2026"),
        ("en-GB", "2 November 2026"),
        ("en-US", "November 2, 2026"),
        ("ar", "2 نوفمبر 2026"),
        ("cs", "2. listopadu 2026"),
        ("da", "2. november 2026"),
        ("de", "2. November 2026"),
        ("de-AT-1996", "2. November 2026"),
        ("es", "2 de noviembre de 2026"),
        ("fi", "2. marraskuuta 2026"),
        ("fr", "2 novembre 2026"),
        ("he", "2 בנובמבר 2026"),
        ("it", "2 novembre 2026"),
        ("ja", "2026年11月2日"),
        ("nb", "2. november 2026"),
        ("nl", "2 november 2026"),
        ("no-NO", "2. november 2026"),
        ("pl", "2 listopada 2026"),
        ("pt-BR", "2 de novembro de 2026"),
        ("sv", "2 november 2026"),
        ("zh-Hant", "2026年11月2日"),
        ("zh-TW", "2026年11月2日"),
        ("tlh", "2026-11-02"),  # a language that CLDR doesn't have
        ("x-klingon", "2026-11-02"),
    ],
)
def test_date_is_written_as_the_language_writes_it(lang: str, expected: str) -> None:
    assert format_date(datetime.date(2026, 11, 2), lang) == expected


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", "12,345"), ("ar", "12,345"), ("ar-EG", "12,345"), ("de", "12.345"),
        ("fr", "12\u202f345"), ("hi", "12,345"), ("tlh", "12345"),
    ],
)  # fmt: skip
def test_number_has_the_separators_of_the_language(lang: str, expected: str) -> None:
    assert format_number(12345, lang) == expected
