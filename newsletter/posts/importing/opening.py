"""Choose the text that an imported post's preheader is made from."""

import re
import unicodedata

from newsletter.posts.importing.blocks import outline_html
from newsletter.posts.importing.cleanup.paragraph import Passage
from newsletter.posts.importing.sources.draft import find_opening

MAX_PREHEADER_LENGTH = 110  # characters
_MIN_SENTENCE_LENGTH = 40  # characters: a shorter first sentence is joined by the next one
_TEXT_TAGS = frozenset({"p", "div", ""})
_END_OF_TITLE = re.compile(r"[\s.!?:…–—-]+")  # noqa: RUF001 - a dash between two sentences


def choose_summary(title: str, *texts: str) -> str:
    """Return the first text that says more than the title; empty if there is none.

    An inbox shows the preheader right after the subject, which is the title. A text that begins
    with the title as a sentence of its own goes without it.
    """
    for text in texts:
        rest = text
        if text.casefold().startswith(title.casefold()):
            separator = _END_OF_TITLE.match(text, len(title))
            if separator and separator[0].strip():
                rest = text[separator.end() :]
        if _normalize(rest) not in {"", _normalize(title)}:
            return rest
    return ""


def find_html_opening(html: str, title: str) -> str:
    """Return the first running text of a post's HTML that doesn't repeat its title."""
    return find_opening(
        [
            Passage(block.line, block.text)
            for block in outline_html(html).blocks
            if block.tag in _TEXT_TAGS and choose_summary(title, block.text)
        ]
    )


def clip_to_sentence(
    text: str,
    min_length: int = _MIN_SENTENCE_LENGTH,
    max_length: int = MAX_PREHEADER_LENGTH,
) -> str:
    """Return the first sentence or two of ``text``, cut between words if they are too long.

    Args:
        text: of any length.
        min_length: characters; a shorter sentence is joined by the next one.
        max_length: characters of the result.
    """
    text = " ".join(text.split())
    sentence_end = re.compile(
        r"[.!?\u2026][\"'\u2019\u201d)]*(?=\s)|[\u3002\uff01\uff1f\u061f\u0964]"
    )
    ends = (found.end() for found in sentence_end.finditer(text))
    text = text[: next((end for end in ends if end >= min_length), None)]
    if len(text) <= max_length:
        return text
    head, space, _ = text[:max_length].rpartition(" ")
    return (head.rstrip(",;:.- ") if space else text[: max_length - 1]) + "\u2026"


def _normalize(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())
