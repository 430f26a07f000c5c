"""Text direction and date format of a language."""

import datetime

from newsletter.config.models import Config

_RTL_LANGUAGES = {
    "ar",
    "arc",
    "ckb",
    "dv",
    "fa",
    "he",
    "iw",
    "nqo",
    "ps",
    "sd",
    "syr",
    "ug",
    "ur",
    "yi",
}
_RTL_SCRIPTS = {"adlm", "arab", "hebr", "nkoo", "rohg", "syrc", "thaa"}
_SCRIPT_TAG_LENGTH = 4  # BCP 47: a subtag of four letters names a script
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def get_text_direction(lang: str, config: Config) -> str:
    """Return ``ltr`` or ``rtl``: as configured for the newsletter's language, else by script."""
    if config.direction != "auto" and lang == config.language:
        return config.direction
    language, *subtags = lang.lower().split("-")
    scripts = [tag for tag in subtags if len(tag) == _SCRIPT_TAG_LENGTH and tag.isalpha()]
    rtl = scripts[0] in _RTL_SCRIPTS if scripts else language in _RTL_LANGUAGES
    return "rtl" if rtl else "ltr"


def format_date(day: datetime.date, lang: str) -> str:
    """Return ``22 November 2026`` in English; ISO 8601 in every other language."""
    if lang.lower().split("-")[0] != "en":
        return day.isoformat()
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
