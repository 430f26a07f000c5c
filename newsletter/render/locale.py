"""Text direction, dates and numbers of a language, from CLDR's data.

Babel carries the data (Unicode CLDR); it is imported with the first language that is asked for.
"""

import datetime
from functools import cache
from typing import TYPE_CHECKING

from newsletter.config.models import Config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from babel import Locale

# Scripts written from right to left (UAX 9, and the "Bidi_Class" of their letters).
_RTL_SCRIPTS = {
    "Adlm", "Arab", "Armi", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa", "Yezi",
}  # fmt: skip
_SCRIPT_TAG_LENGTH = 4  # BCP 47: a subtag of four letters names a script
_TERRITORY_TAG_LENGTH = 2
# English without a country is that of the world ("22 November 2026"), not of the United States.
_WORLD_ENGLISH = "en_001"


def get_text_direction(lang: str, config: Config) -> str:
    """Return ``ltr`` or ``rtl``: as configured for the newsletter's language, else by script."""
    if config.direction != "auto" and lang == config.language:
        return config.direction
    return "rtl" if _find_script(lang) in _RTL_SCRIPTS else "ltr"


def format_date(day: datetime.date, lang: str) -> str:
    """Return a date as CLDR's long form has it: ``22 November 2026``, ``22. november 2026``.

    It is ISO 8601 in a language that CLDR doesn't have.
    """
    locale = _find_locale(lang)
    if locale is None:
        return day.isoformat()
    from babel.dates import format_date as format_localized

    return format_localized(day, "long", locale)


def format_number(number: int, lang: str) -> str:
    """Return a number with the separators of a language: ``1,234``, ``1.234``.

    Its digits are those of ``format_date``, so that the two agree.
    """
    locale = _find_locale(lang)
    if locale is None:
        return str(number)
    from babel.numbers import format_decimal

    return format_decimal(number, locale=locale)


@cache
def _find_script(lang: str) -> str:
    """Return the script of a language tag: its own, else the likely one (CLDR, "likelySubtags")."""
    language, *subtags = lang.split("-")
    for tag in subtags:
        if len(tag) == _SCRIPT_TAG_LENGTH and tag.isalpha():
            return tag.title()
    from babel.core import get_global

    likely_subtags: Mapping[str, str] = get_global("likely_subtags")
    language = language.lower()
    territories = [tag.upper() for tag in subtags if len(tag) == _TERRITORY_TAG_LENGTH]
    for tag in (*(f"{language}_{territory}" for territory in territories), language):
        if likely := likely_subtags.get(tag):
            return likely.split("_")[1]
    return ""


@cache
def _find_locale(lang: str) -> "Locale | None":
    """Return the locale of a language tag, less the subtags that CLDR doesn't know."""
    from babel import Locale, UnknownLocaleError

    subtags = lang.split("-")
    if len(subtags) == 1 and subtags[0].lower() == "en":
        return Locale.parse(_WORLD_ENGLISH)
    while subtags:
        try:
            return Locale.parse("_".join(subtags))
        except (UnknownLocaleError, ValueError):
            subtags.pop()
    return None
