"""Slugs: a title as a part of a folder's name and of a URL."""

import re

from anyascii import anyascii

MAX_SLUG_LENGTH = 60
SLUG_PATTERN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def slugify(text: str) -> str:
    """``text`` in small ASCII letters, digits and hyphens, at most 60, cut between words.

    Empty where nothing of ``text`` can be written so.
    """
    # "isn't" is one word: its apostrophe goes, other marks become hyphens.
    joined = re.sub(r"(?<=\w)['\u2019](?=\w)", "", text)
    slug = re.sub(r"[^a-z0-9]+", "-", anyascii(joined).lower()).strip("-")
    if len(slug) <= MAX_SLUG_LENGTH:
        return slug
    head, _, _ = slug[: MAX_SLUG_LENGTH + 1].rpartition("-")
    return head or slug[:MAX_SLUG_LENGTH]
