"""Decode the bytes of a feed, whatever it says of its encoding."""

import codecs
import re
from collections.abc import Mapping
from typing import NamedTuple

from newsletter.encoding_detection import find_utf_16
from newsletter.errors import Location, PostError
from newsletter.posts.encoding_labels import find_codec
from newsletter.posts.text_encoding import decode_text

_BOMS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DECLARED = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']\s*([\w.:-]+)""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_ESCAPE = b"\x1b"  # of the encodings that are ASCII to look at: ISO-2022-JP
_HEAD_BYTES = 4096
# XML allows none of these, not even as a reference.
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufeff\ufffe\uffff]")
_REFERENCE = re.compile(r"&#(?:x(?P<hex>[0-9a-f]+)|(?P<decimal>[0-9]+));?", re.IGNORECASE)
_MAX_DIGITS = 9
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_REPLACEMENT = "\ufffd"


class DecodedFeed(NamedTuple):
    """The text of a feed, and what is to be said of its bytes."""

    text: str
    remarks: tuple[str, ...]


def decode_feed(data: bytes, headers: Mapping[str, str], where: str) -> DecodedFeed:
    """Return the text of a feed without control characters.

    Servers state wrong encodings more often than a text is valid UTF-8 by chance; so UTF-8 counts
    first, then what the XML says, then the server, then a guess.

    Args:
        data: the feed.
        headers: of the HTTP response, by lower-case name.
        where: its URL or file, for messages.

    Raises:
        PostError: it is empty, or its encoding could not be detected.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise PostError("the feed is empty", where=Location(where))
    text, remark = _decode(data, headers, where)
    cleaned, count = _CONTROL_CHARACTERS.subn("", text.replace("\r\n", "\n").replace("\r", "\n"))
    cleaned = _REFERENCE.sub(_check_reference, cleaned)
    if text.startswith("\ufeff"):
        count -= 1
    remarks = [remark] if remark else []
    if count:
        remarks.append("control characters in it were removed")
    return DecodedFeed(cleaned, tuple(remarks))


def remove_control_characters(text: str) -> str:
    """Return a text without the characters that XML does not allow; JSON can escape any."""
    return _CONTROL_CHARACTERS.sub("", text)


def _check_reference(found: re.Match[str]) -> str:
    """Return a reference to a character, unless XML doesn't allow it; feedparser fails at some."""
    digits = (found["hex"] or found["decimal"]).lstrip("0")[:_MAX_DIGITS] or "0"
    number = int(digits, 16 if found["hex"] else 10)
    if number > _LAST_CHARACTER or number in _SURROGATES:
        return _REPLACEMENT
    return "" if _CONTROL_CHARACTERS.match(chr(number)) else found[0]


def _decode(data: bytes, headers: Mapping[str, str], where: str) -> tuple[str, str]:
    """Return the text, and a remark if something was wrong."""
    if data.startswith(_BOMS):
        return decode_text(data, where), ""
    if b"\0" in data[:_HEAD_BYTES] and (encoding := find_utf_16(data[:_HEAD_BYTES])):
        return data.decode(encoding.codec, "replace"), ""
    found = _DECLARED.match(data[:_HEAD_BYTES])
    charset = _CHARSET.search(headers.get("content-type", ""))
    labels = [found[1].decode("ascii", "replace") if found else "", charset[1] if charset else ""]
    stated = [codec for label in labels if label and (codec := find_codec(label))]
    order = [*stated, "utf-8"] if _ESCAPE in data else ["utf-8", *stated]
    for codec in order:
        try:
            return data.decode(codec), ""
        except UnicodeDecodeError:
            continue
    text = data.decode("utf-8", "replace")
    broken = text.count(_REPLACEMENT)
    if 2 * broken <= sum(not char.isascii() for char in text):
        return text, f"{broken} characters in it are broken; they show as {_REPLACEMENT}"
    return decode_text(data.replace(b"\0", b""), where), "its encoding was guessed"
