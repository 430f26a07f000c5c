"""A post as a list of lines or paragraphs, for those who judge what belongs in it."""

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
        text: its words, without markup.
        is_standalone: nothing touches it: no other line of the same paragraph.
    """

    line: int
    text: str
    is_standalone: bool = True

    @property
    def word_count(self) -> int:
        """How many words it has."""
        return count_words(self.text)

    @property
    def is_prose(self) -> bool:
        """Whether it reads as running text, not as a heading, a label or a link."""
        if self.word_count >= MIN_PROSE_WORDS or (
            not self.is_standalone and self.word_count >= _MIN_JOINED_WORDS
        ):
            return True
        return self.word_count >= _MIN_SENTENCE_WORDS and bool(_SENTENCE_END.search(self.text))


class RemovedLine(NamedTuple):
    """What an import took out of a post: the blog's own furniture."""

    line: int
    text: str
    why: str


class SetAsideLine(NamedTuple):
    """What an import put aside for the editor to look at."""

    line: int
    text: str
    why: str


def count_words(text: str) -> int:
    """Words of ``text``; where a script sets no spaces, two characters count as a word."""
    spaced, unspaced = _UNSPACED_SCRIPT_CHARACTER.subn(" ", text)
    pieces = spaced.split()
    # Most are plain words: only the others are looked at closely, which halves the time.
    others = [piece for piece in pieces if not piece.isalnum()]
    words = len(pieces) - len(others) + len(_WORD.findall(" ".join(others)))
    return words + (unspaced + 1) // 2
