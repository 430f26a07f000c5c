"""Which script a text is written in (Unicode Standard, chapter "Writing Systems").

Python's Unicode database has no script property; the first word of a letter's name says as much.
"""

import unicodedata
from collections import Counter
from functools import lru_cache

LATIN = "Latin"

# Scripts that one language mixes count as one; the rest are called by their Unicode name.
_FAMILIES = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Chinese or Japanese",
    "KATAKANA": "Chinese or Japanese",
    "BOPOMOFO": "Chinese or Japanese",
    "HANGUL": "Korean",
}


@lru_cache(maxsize=4096)
def script(char: str) -> str:
    """The script of one letter (``"Latin"``, ``"Arabic"``, …); empty for anything else.

    Compatibility forms count as what they stand for: a mathematical bold ``A`` is Latin.
    """
    plain = unicodedata.normalize("NFKC", char)[:1]
    if unicodedata.category(plain) not in {"Lu", "Ll", "Lt", "Lo"}:
        return ""
    family = unicodedata.name(plain, "").partition(" ")[0]
    return _FAMILIES.get(family, family.title())


def letters(text: str) -> Counter[str]:
    """How many letters of each script ``text`` holds."""
    found: Counter[str] = Counter()
    for char, count in Counter(text).items():
        if name := script(char):
            found[name] += count
    return found
