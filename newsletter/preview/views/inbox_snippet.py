"""Extract the snippet that an inbox shows before an email is opened.

Pure.
"""

import re
import unicodedata

from lxml import etree

SNIPPET_LENGTH = 240
_HIDDEN_TAGS = {"style", "script", "title", "head"}
_BLANKS = re.compile(r"[\s\u034f\u00ad\u200b-\u200f\u2060\ufeff\u00a0\u2007]+")


def extract_snippet(html: str) -> str:
    """Return the email's first words as inboxes show them: preheader, then the text after it.

    Args:
        html: the whole document.
    """
    tree = etree.fromstring(html, etree.HTMLParser())
    words: list[str] = []
    length = 0
    for text in _list_text_nodes(tree):
        plain = _BLANKS.sub(" ", unicodedata.normalize("NFC", text)).strip()
        # Blanks that pad the preheader keep the text after it out of the inbox.
        is_padded = len(text) - len(plain) > SNIPPET_LENGTH
        if plain:
            words.append(plain)
            length += len(plain) + 1
        if is_padded or length > SNIPPET_LENGTH:
            break
    return " ".join(words)[:SNIPPET_LENGTH]


def _list_text_nodes(tree: etree._Element) -> "list[str]":
    return [
        str(text)
        for text in tree.xpath("//body//text()")  # type: ignore[union-attr]
        if text.getparent() is not None  # type: ignore[union-attr]
        and text.getparent().tag not in _HIDDEN_TAGS  # type: ignore[union-attr]
    ]
