"""What an inbox shows of a mail before it is opened. Pure."""

import re
import unicodedata

from lxml import etree

SNIPPET_LENGTH = 240
_HIDDEN_TAGS = {"style", "script", "title", "head"}
_BLANKS = re.compile(r"[\s\u034f\u00ad\u200b-\u200f\u2060\ufeff\u00a0\u2007]+")


def extract_snippet(html: str) -> str:
    """The first words of a mail as inboxes take them: its preheader, then the text that follows.

    Args:
        html: the whole document.
    """
    tree = etree.fromstring(html, etree.HTMLParser())
    words: list[str] = []
    length = 0
    for text in _list_text_nodes(tree):
        plain = _BLANKS.sub(" ", unicodedata.normalize("NFC", text)).strip()
        # The blanks that fill a preheader up keep what follows out of the inbox.
        filled = len(text) - len(plain) > SNIPPET_LENGTH
        if plain:
            words.append(plain)
            length += len(plain) + 1
        if filled or length > SNIPPET_LENGTH:
            break
    return " ".join(words)[:SNIPPET_LENGTH]


def _list_text_nodes(tree: etree._Element) -> "list[str]":
    return [
        str(text)
        for text in tree.xpath("//body//text()")  # type: ignore[union-attr]
        if text.getparent() is not None  # type: ignore[union-attr]
        and text.getparent().tag not in _HIDDEN_TAGS  # type: ignore[union-attr]
    ]
