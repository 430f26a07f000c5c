"""Make an unreadable event of what can't be parsed as one. Pure."""

import hashlib
import re
from dataclasses import dataclass

MAX_BODY_BYTES = 16_384
WEBHOOK_SOURCE = "webhook"
# The beginning of an address that is cut off could not be found when the address is erased.
_UNFINISHED_WORD = re.compile(rb"[^\s\",:;<>()\[\]{}]{1,2000}\Z")


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """One entry of a request or a file that is not an event, or of a kind that is not known.

    Attributes:
        body: its bytes as received; only the beginning if it is long.
        length: the length of the whole in bytes.
        sha256: the SHA-256 of the whole, in hexadecimal.
        reason: why it is not understood; never a part of it, since reasons are logged.
        source: ``webhook``, or the file and the line.
    """

    body: bytes
    length: int
    sha256: str
    reason: str
    source: str


def make_unreadable_item(text: bytes, reason: str, source: str = WEBHOOK_SOURCE) -> UnreadableItem:
    """Return what is kept of a text that is not understood."""
    body = text
    if len(text) > MAX_BODY_BYTES:
        body = text[:MAX_BODY_BYTES]
        body = _UNFINISHED_WORD.sub(b"", body) or body
    return UnreadableItem(body, len(text), hashlib.sha256(text).hexdigest(), reason, source)
