"""Decode text files: detect the encoding, reject binary files."""

import codecs
import re

from newsletter.errors import Location, PostError
from newsletter.posts.encoding_labels import find_codec

_ENCODING_BY_BOM = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark is a prefix of it
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_BINARY_SIGNATURES = (
    (b"PK\x03\x04", "a word processor's document or a zip archive"),
    (b"\xd0\xcf\x11\xe0", "a word processor's document"),
    (b"{\\rtf", "a rich-text document"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
)
_DECLARED_ENCODING = re.compile(
    rb"""<(?:meta\s[^>]*?charset|\?xml\s[^>]*?encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE
)
_PRESCAN_BYTES = 4096
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufeff\ufffe\uffff]")
_REMEDY = "Save it as UTF-8 and try again."


def decode_text(data: bytes, path: str) -> str:
    r"""Return the text of a file, with ``\n`` line ends and no control characters.

    Tried in this order: byte-order mark, the encoding that HTML or XML declares, UTF-8, statistical
    detection.

    Args:
        data: the whole file.
        path: its name, for messages.

    Raises:
        PostError: the file is binary, or its encoding could not be detected.
    """
    where = Location(path)
    text = _decode_with_bom(data, where)
    if text is None:
        _reject_binary(data, where)
        text = _decode_as_declared(data) or _decode_utf8(data)
    if text is None:
        text = _decode_by_guess(data, where)
    # Not str.translate(), which takes twenty times as long for text that isn't all ASCII.
    return _CONTROL_CHARACTERS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _decode_with_bom(data: bytes, where: Location) -> str | None:
    for bom, encoding in _ENCODING_BY_BOM:
        if data.startswith(bom):
            try:
                return data[len(bom) :].decode(encoding)
            except UnicodeDecodeError as error:
                raise PostError(
                    f"byte {error.start} is not valid {encoding.upper()}, "
                    "which the byte-order mark declares",
                    where=where,
                    remedy=_REMEDY,
                ) from None
    return None


def _reject_binary(data: bytes, where: Location) -> None:
    for signature, kind in _BINARY_SIGNATURES:
        if data.startswith(signature):
            raise PostError(
                f"this is {kind}, not text",
                where=where,
                remedy="Export it as Markdown, HTML or plain text first.",
            )
    if b"\0" in data:
        raise PostError("this is a binary file, not text", where=where, remedy=_REMEDY)


def _decode_as_declared(data: bytes) -> str | None:
    found = _DECLARED_ENCODING.search(data[:_PRESCAN_BYTES])
    if not found:
        return None
    codec = find_codec(found[1].decode("ascii", "replace"))
    if codec is None:
        return None
    if codec == "cp1252":
        # A page that was saved again as UTF-8 often still declares its old encoding.
        return _decode_utf8(data) or data.decode(codec, "replace")
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _decode_utf8(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _decode_by_guess(data: bytes, where: Location) -> str:
    from charset_normalizer import from_bytes

    # By its default it follows a declaration in the text, with every codec that Python has.
    matches = from_bytes(data, preemptive_behaviour=False)
    western = (match for match in matches if "cp1252" in match.could_be_from_charset)
    best = next(western, None) or matches.best()
    # Without coherence in some language, a guess other than Windows-1252 is no better than chance.
    if best is None or not (best.coherence or "cp1252" in best.could_be_from_charset):
        line = data[: _find_invalid_byte(data)].count(b"\n") + 1
        raise PostError(
            "the text is not UTF-8, and its encoding could not be detected",
            where=Location(where.path, line),
            remedy=_REMEDY,
        )
    return str(best)


def _find_invalid_byte(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(data)
