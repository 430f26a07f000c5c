"""Passages of a post (lines, paragraphs) and word counts, for clean-up."""

import re
from dataclasses import dataclass
from typing import NamedTuple

MIN_PROSE_WORDS = 15
_MIN_SENTENCE_WORDS = 8
_MIN_JOINED_WORDS = 6
_SENTENCE_END = re.compile(r"[.!?…。！？؟।][\"'”’»)\]]*$")  # noqa: RUF001 - full-width stops
_WORD = re.compile(r"\w[\w'\u2019-]*")
_UNSPACED_SCRIPT_CHARACTER = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph, a heading, or a line of plain text.

    Attributes:
        line: 1-based line in the source where it starts.
        text: its text without markup.
        is_standalone: whether no other line of the same paragraph is next to it.
        group: number of the list or the table that it is an item of; 0 if it is in none.
        links: the URLs of its links.
        masked_text: ``text`` with its code masked; empty if it has none.
    """

    line: int
    text: str
    is_standalone: bool = True
    group: int = 0
    links: tuple[str, ...] = ()
    masked_text: str = ""

    @property
    def word_count(self) -> int:
        """Number of words."""
        return count_words(self.text)

    @property
    def is_prose(self) -> bool:
        """Whether it reads as running text, not as a heading, a label or a link."""
        if self.word_count >= MIN_PROSE_WORDS or (
            not self.is_standalone and self.word_count >= _MIN_JOINED_WORDS
        ):
            return True
        return self.word_count >= _MIN_SENTENCE_WORDS and bool(_SENTENCE_END.search(self.text))


class SetAsideLine(NamedTuple):
    """A line that an import set aside for the editor to check, with the reason."""

    line: int
    text: str
    why: str


def count_words(text: str) -> int:
    """Return the number of words; in scripts without spaces, two characters count as a word."""
    spaced, unspaced = _UNSPACED_SCRIPT_CHARACTER.subn(" ", text)
    pieces = spaced.split()
    # Most pieces are plain words; searching only the others halves the time.
    other_pieces = [piece for piece in pieces if not piece.isalnum()]
    words = len(pieces) - len(other_pieces) + len(_WORD.findall(" ".join(other_pieces)))
    return words + (unspaced + 1) // 2


def mask_words(text: str) -> str:
    """Return ``text`` of the same length, with every character but white space as ``0``."""
    return re.sub(r"\S", "0", text)
