"""``MaskedText``: a text without its markup, and its references."""

import html
import re
from dataclasses import dataclass
from html.entities import html5
from typing import Literal

BlockKind = Literal["paragraph", "heading", "list item", "table cell", "code line"]
ReferenceKind = Literal["link", "image", "embed"]

GLUE = "\ue000"  # markup inside a word; private use, so that it is no part of any word
# Browsers read some old names without their semicolon, even before other letters.
_OLD_NAMES = "|".join(sorted((name for name in html5 if name[-1] != ";"), key=len, reverse=True))
_ENTITY = re.compile(
    rf"&(?:#\d{{1,7}};?|#x[0-9a-f]{{1,6}};?|[a-z][a-z0-9]{{1,30}};|(?-i:{_OLD_NAMES}))",
    re.IGNORECASE,
)
_INVISIBLE = re.compile("[*_~\\\\`\u00ad\u200b-\u200f\u2060\ufeff]")
_NOT_LINE_END = re.compile(r"[^\n]")


@dataclass(frozen=True, slots=True)
class ContentReference:
    """A link, an image or an embed in a text.

    Attributes:
        kind: what it is.
        urls: its URLs as written; for an image or an embed, those of all its attributes.
        start: offset in the text.
        alt: an image's alternative text.
        by_label: whether its URL is in a definition, which others may share.
    """

    kind: ReferenceKind
    urls: tuple[str, ...]
    start: int
    alt: str = ""
    by_label: bool = False


@dataclass(frozen=True, slots=True)
class MaskedText:
    """A text without its markup.

    Attributes:
        text: as long as the source, line ends included; markup is blank, or ``GLUE`` where it
            doesn't end a word.
        blocks: offset and kind of each block, in order.
        references: links, images and embeds.
        code_lines: offset and content of each line of a code block.
    """

    text: str
    blocks: tuple[tuple[int, BlockKind], ...]
    references: tuple[ContentReference, ...]
    code_lines: tuple[tuple[int, str], ...]


class MaskBuilder:
    """Builder of a ``MaskedText``; each part of the source is added once, in order."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self.blocks: list[tuple[int, BlockKind]] = [(0, "paragraph")]
        self.references: list[ContentReference] = []
        self.code_lines: list[tuple[int, str]] = []

    def blank(self, markup: str) -> None:
        """Add markup that ends a word."""
        self._parts.append(_NOT_LINE_END.sub(" ", markup))

    def glue(self, markup: str) -> None:
        """Add markup that is inside a word or beside one."""
        self._parts.append(_NOT_LINE_END.sub(GLUE, markup))

    def text(self, text: str) -> None:
        """Add text; emphasis characters and escapes don't end a word."""
        self._parts.append(_INVISIBLE.sub(GLUE, text))

    def encoded_text(self, text: str) -> None:
        """Add text with character references (HTML 5, section 13.5)."""
        self.text(_ENTITY.sub(_decode_in_place, text) if "&" in text else text)

    def code(self, start: int, line: str) -> None:
        """Note a line of a code block; its text is added apart."""
        if line.strip():
            self.code_lines.append((start, line))

    def block(self, start: int, kind: BlockKind) -> None:
        """Begin a block at an offset."""
        self.blocks.append((start, kind))

    def finish(self) -> MaskedText:
        """Return the masked text."""
        return MaskedText(
            "".join(self._parts),
            tuple(self.blocks),
            tuple(self.references),
            tuple(self.code_lines),
        )


def _decode_in_place(found: re.Match[str]) -> str:
    """Return the character, padded to the length of its reference."""
    character = html.unescape(found[0])
    if character.isspace():
        return " " * len(found[0])
    return character[: len(found[0])].ljust(len(found[0]), GLUE)
