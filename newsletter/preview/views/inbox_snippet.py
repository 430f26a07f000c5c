"""What an inbox shows of a mail before it is opened. Pure."""

import re
import unicodedata

from lxml import etree

SNIPPET = 240
_SILENT = {"style", "script", "title", "head"}
_BLANK = re.compile(r"[\s\u034f\u00ad\u200b-\u200f\u2060\ufeff\u00a0\u2007]+")


def snippet(html: str) -> str:
    """The first words of a mail as inboxes take them: its preheader, then the text that follows.

    Args:
        html: the whole document.
    """
    tree = etree.fromstring(html, etree.HTMLParser())
    words: list[str] = []
    length = 0
    for text in _texts(tree):
        plain = _BLANK.sub(" ", unicodedata.normalize("NFC", text)).strip()
        # The blanks that fill a preheader up keep what follows out of the inbox.
        filled = len(text) - len(plain) > SNIPPET
        if plain:
            words.append(plain)
            length += len(plain) + 1
        if filled or length > SNIPPET:
            break
    return " ".join(words)[:SNIPPET]


def _texts(tree: etree._Element) -> "list[str]":
    return [
        str(text)
        for text in tree.xpath("//body//text()")  # type: ignore[union-attr]
        if text.getparent() is not None  # type: ignore[union-attr]
        and text.getparent().tag not in _SILENT  # type: ignore[union-attr]
    ]
