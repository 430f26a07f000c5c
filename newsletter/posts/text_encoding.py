"""Decode text files: detect the encoding, reject binary files."""

import io
import re

from newsletter.encoding_detection import TextEncoding, detect_encoding, guess_for_prose
from newsletter.errors import Location, PostError
from newsletter.posts.encoding_labels import find_codec

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
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_LETTER = re.compile("[^\x00-\x7f\udc80-\udcff]")  # that is not ASCII
_MIN_LETTERS_PER_ERROR = 10
_REMEDY = "Save it as UTF-8 and try again."


def decode_text(data: bytes, path: str, *, charset: str = "") -> str:
    r"""Return the text of a file, with ``\n`` line ends and no control characters.

    Tried in this order: byte-order mark, the encoding that its server or else HTML or XML declares,
    UTF-8, statistical detection.

    Args:
        data: the whole file.
        path: its name, for messages.
        charset: what the HTTP header states, if it was downloaded; servers are often wrong.

    Raises:
        PostError: the file is binary, or its encoding could not be detected.
    """
    where = Location(path)
    encoding = detect_encoding(
        io.BytesIO(data),
        find_stated=lambda _: _find_declared(data, where, charset),
        guess=lambda _: guess_for_prose(data),
    )
    if encoding is None:
        line = data[: _find_invalid_byte(data)].count(b"\n") + 1
        raise PostError(
            "the text is not UTF-8, and its encoding could not be detected",
            where=Location(path, line),
            remedy=_REMEDY,
        )
    try:
        is_tolerant = encoding.codec in {"cp1252", "utf-8"}
        text = data.decode(encoding.codec, "replace" if is_tolerant else "strict")
    except UnicodeDecodeError as error:
        # Counted after the mark, which UTF-8's codec doesn't count.
        position = error.start - {"utf-16": 2, "utf-32": 4}.get(encoding.codec, 0)
        raise PostError(
            f"byte {position} is not valid {error.encoding.upper()}, "
            "which the byte-order mark declares",
            where=where,
            remedy=_REMEDY,
        ) from None
    # Not str.translate(), which takes twenty times as long for text that isn't all ASCII.
    return _CONTROL_CHARACTERS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _find_declared(data: bytes, where: Location, charset: str) -> TextEncoding | None:
    """Return the encoding that the server, HTML or XML declares, if the text can be in it.

    Raises:
        PostError: the file is binary.
    """
    for signature, kind in _BINARY_SIGNATURES:
        if data.startswith(signature):
            raise PostError(
                f"this is {kind}, not text",
                where=where,
                remedy="Export it as Markdown, HTML or plain text first.",
            )
    if b"\0" in data:
        raise PostError("this is a binary file, not text", where=where, remedy=_REMEDY)
    found = _DECLARED_ENCODING.search(data[:_PRESCAN_BYTES])
    for label in (charset, found[1].decode("ascii", "replace") if found else ""):
        codec = find_codec(label)
        if codec is None:
            continue
        # A page that was saved again as UTF-8 often still declares its old encoding.
        for candidate in ("utf-8", codec) if codec == "cp1252" else (codec,):
            if _find_invalid_byte(data, candidate) is None:
                return TextEncoding(candidate, candidate)
        if codec == "cp1252" or (codec == "utf-8" and _is_nearly_utf8(data)):
            return TextEncoding(codec, codec)
    return None


def _is_nearly_utf8(data: bytes) -> bool:
    """Return whether a few bytes at most are invalid, as where a program cut a text in a letter."""
    text = data.decode("utf-8", "surrogateescape")
    return len(_UNDECODABLE.findall(text)) * _MIN_LETTERS_PER_ERROR <= len(_LETTER.findall(text))


def _find_invalid_byte(data: bytes, codec: str = "utf-8") -> int | None:
    try:
        data.decode(codec)
    except UnicodeDecodeError as error:
        return error.start
    return None
