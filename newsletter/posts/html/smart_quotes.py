# ruff: noqa: RUF001 - quotation marks are what this table is about
"""Quotation marks by language."""

# Opening and closing double, then single quotes (CLDR, delimiters of each locale).
_ENGLISH_QUOTES = "“”‘’"

_QUOTES_BY_LANGUAGE: dict[str, str | list[str]] = {
    "bg": "„“‚‘",
    "cs": "„“‚‘",
    "da": "»«›‹",
    "de": "„“‚‘",
    "el": "«»“”",
    "es": "«»“”",
    "et": "„“‚‘",
    "fi": "””’’",
    "fr": ["«\u00a0", "\u00a0»", "“", "”"],
    "hr": "„“‚‘",
    "hu": "„”»«",
    "is": "„“‚‘",
    "it": "«»“”",
    "lt": "„“‚‘",
    "nb": "«»‘’",
    "nn": "«»‘’",
    "no": "«»‘’",
    "pl": "„”‚’",
    "pt-pt": "«»“”",
    "ro": "„”«»",
    "ru": "«»„“",
    "sk": "„“‚‘",
    "sl": "„“‚‘",
    "sq": "«»“”",
    "sv": "””’’",
    "uk": "«»„“",
}


def get_quotation_marks(language: str) -> tuple[str, ...]:
    """Return opening and closing double, then single quotes; English ones for other languages.

    Args:
        language: BCP 47 tag.
    """
    tag = language.lower()
    return tuple(
        _QUOTES_BY_LANGUAGE.get(tag)
        or _QUOTES_BY_LANGUAGE.get(tag.split("-")[0])
        or _ENGLISH_QUOTES
    )
