"""Make slugs: titles as parts of folder names and URLs."""

import re

from anyascii import anyascii

MAX_SLUG_LENGTH = 60
SHORT_SLUG_LENGTH = 40  # of a slug made from a title: it is typed in commands and seen in URLs
SLUG_PATTERN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def slugify(text: str, limit: int = MAX_SLUG_LENGTH) -> str:
    """Return ``text`` in lowercase ASCII letters, digits and hyphens, cut between words.

    At most ``limit`` characters; empty if no character of ``text`` can be transliterated.
    """
    # "isn't" is one word: its apostrophe is dropped, other punctuation becomes hyphens.
    joined = re.sub(r"(?<=\w)['\u2019](?=\w)", "", text)
    slug = re.sub(r"[^a-z0-9]+", "-", anyascii(joined).lower()).strip("-")
    if len(slug) <= limit:
        return slug
    head, _, _ = slug[: limit + 1].rpartition("-")
    return head or slug[:limit]
