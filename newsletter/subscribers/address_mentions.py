"""Find the addresses that a text mentions, however escaped. Pure.

The text is something that nobody could parse, so every escape that programs use is undone: those
of JSON, URLs and HTML, several of them within one another, and gzip.
"""

import html
import re
import zlib
from collections.abc import Iterator
from urllib.parse import unquote

from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address

# How often a text may have been escaped.
_MAX_ROUNDS = 3
_MAX_UNPACKED_BYTES = 1_000_000
_MAX_LOCAL = 64
_MAX_DOMAIN = 253
_GZIP_MAGIC = b"\x1f\x8b"
# From the first of its backslashes on, so that the time it takes grows with the length only.
_ESCAPED_CHARACTER = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_LOCAL = re.compile(r"[\w!#$%&'*+\-/=?^`{|}~.]+\Z")
_DOMAIN = re.compile(r"[^\W_](?:[^\W_]|-)*(?:\.(?:[^\W_]|-)+)+")
# What stands before an address in a URL or in quotation marks, though it may be a part of one.
_BEFORE_LOCAL = re.compile(r"(?s:.*)[=/?&{}|`%]")


def find_mentions(body: bytes) -> list[frozenset[str]]:
    """Return for each ``@`` of the text the keys of the addresses that it may stand for.

    ``ada+news@example.com`` stands for ``ada@example.com`` too, whose owner it belongs to. A
    set is empty if no address is around the ``@``.
    """
    return [keys for text in _unescaped_forms(body) for keys in _iter_keys(text)]


def mentions_address(body: bytes, key: str) -> bool:
    """Return whether the text mentions an address, or one of its owner's with a tag."""
    return any(key in keys for keys in find_mentions(body))


def _unescaped_forms(body: bytes) -> Iterator[str]:
    """Yield the text, and what it is without escapes, as long as there are any."""
    if body.startswith(_GZIP_MAGIC):
        body += b"\n" + _unpack(body)
    # NUL bytes are between the characters of UTF-16.
    text = body.replace(b"\0", b"").decode("utf-8", "replace")
    for _ in range(_MAX_ROUNDS + 1):
        yield text
        unescaped = html.unescape(unquote(_ESCAPED_CHARACTER.sub(_unescape, text)))
        if unescaped == text:
            break
        text = unescaped


def _unescape(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1] or escaped[2], 16))


def _unpack(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, _MAX_UNPACKED_BYTES)
    except zlib.error:
        return b""


def _iter_keys(text: str) -> Iterator[frozenset[str]]:
    position = text.find("@")
    while position != -1:
        local = _LOCAL.search(text[max(0, position - _MAX_LOCAL) : position])
        domain = _DOMAIN.match(text[position + 1 : position + 1 + _MAX_DOMAIN])
        yield (
            frozenset(_keys(local[0], domain[0].rstrip("-"))) if local and domain else frozenset()
        )
        position = text.find("@", position + 1)


def _keys(local: str, domain: str) -> Iterator[str]:
    bare = local.lstrip("'\"*.-_<`{|")
    for written in {local, bare, _BEFORE_LOCAL.sub("", local).lstrip("'")}:
        for candidate in {written, written.partition("+")[0]} - {""}:
            try:
                yield parse_address(f"{candidate}@{domain}").key
            except SubscriberListError:
                continue
