"""Mask what is no word in plain text: URLs, emphasis."""

import re
from typing import ClassVar

from newsletter.posts.content_loss.masked_text import ContentReference, MaskBuilder, MaskedText

# ASCII without quotes, brackets and pipes; a character reference for one of these ends it, too,
# but not a parameter that begins like one.
_URL_CHARACTER = r"(?:(?!&(?:(?:[lg]t|quot|apos|nbsp)(?![\w=])|#))[!#-&*-;=?@A-Z^_a-z~\\])"
BARE_URL = re.compile(
    rf"(?:https?://|www\.)(?>{_URL_CHARACTER}+)"
    rf"(?>(?:\((?>{_URL_CHARACTER}*)\)(?>{_URL_CHARACTER}*))*)",
    re.IGNORECASE,
)
_SCHEMES = frozenset({"http://", "https://", "www"})  # alone, they are words about addresses


class TextMasker:
    """Masker of one plain text; the base of the maskers of markup.

    Args:
        text: the text.
    """

    special: ClassVar[re.Pattern[str]] = re.compile(r"\n|https?://|\bwww\.", re.IGNORECASE)

    def __init__(self, text: str) -> None:
        self.source = text
        self.out = MaskBuilder()

    def mask(self) -> MaskedText:
        """Return the text without its markup."""
        position, end = self.begin(), len(self.source)
        while position < end:
            found = self.special.search(self.source, position)
            stop = found.start() if found else end
            self.add_text(self.source[position:stop])
            position = self.consume(stop) if found else end
        return self.out.finish()

    def begin(self) -> int:
        """Add what can only stand at the start of the text; return where it ends."""
        return 0

    def add_text(self, text: str) -> None:
        """Add a run without special characters."""
        self.out.text(text)

    def consume(self, start: int) -> int:
        """Add the construct that begins at a special character; return where it ends."""
        if self.source[start] == "\n":
            self.out.blank("\n")
            self.out.block(start + 1, "paragraph")
            return start + 1
        found = BARE_URL.match(self.source, start)
        url = strip_punctuation(found[0]) if found else ""
        if found is None or url.lower() in _SCHEMES:
            self.add_text(self.source[start])
            return start + 1
        if not self.source.startswith(("{{", "{%"), found.end()):  # else only a part of one
            self.out.references.append(ContentReference("link", (self.decode_url(url),), start))
        self.out.blank(url)
        return start + len(url)

    def decode_url(self, url: str) -> str:
        """Return a URL in running text without the escapes of the syntax."""
        return url


def strip_punctuation(url: str) -> str:
    """Return a URL in running text without the punctuation and the emphasis after it."""
    return url.rstrip(".,;:!?*_~\\")
