"""Detect the encoding of a file of subscribers, in constant memory."""

import codecs
import re
from typing import BinaryIO, NamedTuple

from newsletter.errors import Location, SubscriberListError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose BOM it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BINARY_SIGNATURES = (
    (b"PK\x03\x04", "an Excel or ZIP file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a gzip file"),
    (b"SQLite format 3\0", "a database"),
)
_LEGACY_CODECS = ["cp1251", "cp1253", "cp932", "euc_kr", "gb18030"]
_WORD = re.compile(r"[^\s,;|\"@]+")
_WORD_PUNCTUATION = "\u201c\u201d\u2018\u2019\u201e\u201a\xab\xbb\u20ac\u2026\u2013\u2014'()."
_BLOCK_SIZE = 1 << 20
_SAMPLE_SIZE = 64_000
_UNDECODABLE = re.compile("[\udc80-\udcff]")
_NON_ASCII = re.compile(r"[^\x00-\x7f\udc80-\udcff]")


class TextEncoding(NamedTuple):
    """The encoding of a file.

    Attributes:
        codec: its name in Python.
        name: its usual name, for display.
        guessed: whether it was guessed from the bytes.
    """

    codec: str
    name: str
    guessed: bool = False


def detect_encoding(file: BinaryIO, where: Location) -> TextEncoding:
    """Detect a file's encoding: by its byte-order mark, UTF-8 if valid, or else by a guess.

    A file with a few invalid bytes is still UTF-8: the rows that contain them are rejected, rather
    than all other rows decoded wrongly.

    Args:
        file: the file, at its beginning; its position afterwards is undefined.
        where: its name, for messages.

    Raises:
        SubscriberListError: the file is empty or isn't text.
    """
    head = file.read(_SAMPLE_SIZE)
    if not head.strip():
        raise SubscriberListError(
            "the file is empty", where=where, remedy="Use a CSV file of addresses."
        )
    for bom, codec in _BOMS:
        if head.startswith(bom):
            return TextEncoding(codec, codec.removesuffix("-sig").upper())
    for signature, kind in _BINARY_SIGNATURES:
        if head.startswith(signature):
            raise SubscriberListError(
                f"this is {kind}", where=where, remedy="Save or unpack it as CSV and import that."
            )
    if _is_mostly_nul(head[1::2]):
        return TextEncoding("utf-16-le", "UTF-16")
    if _is_mostly_nul(head[::2]):
        return TextEncoding("utf-16-be", "UTF-16")
    file.seek(0)
    sample = _sample_unless_utf8(file)
    return TextEncoding("utf-8", "UTF-8") if sample is None else _guess_encoding(sample)


def _is_mostly_nul(data: bytes) -> bool:
    """Return whether most of the bytes are NUL, as every other byte of Latin text in UTF-16 is."""
    return len(data) > 1 and data.count(0) * 2 > len(data)


def _sample_unless_utf8(file: BinaryIO) -> bytes | None:
    """Return ``None`` if the file is mostly valid UTF-8, else a sample of its non-ASCII lines."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    sample, valid_count, invalid_count = b"", 0, 0
    while block := file.read(_BLOCK_SIZE):
        text = decoder.decode(block)
        if text.isascii():
            continue
        invalid_in_block = len(_UNDECODABLE.findall(text))
        if invalid_in_block and not sample:
            sample = _non_ascii_lines(block)
        invalid_count += invalid_in_block
        valid_count += len(_NON_ASCII.findall(text))
    return sample if invalid_count > valid_count else None


def _non_ascii_lines(block: bytes) -> bytes:
    """Return the lines that contain non-ASCII bytes, up to the size of a sample."""
    return b"\n".join(line for line in block.splitlines() if not line.isascii())[:_SAMPLE_SIZE]


def _guess_encoding(sample: bytes) -> TextEncoding:
    """Guess Windows-1252 for Latin letters, and by the frequency of letters for other scripts.

    Windows-1250 and -1257 differ from 1252 in letters that can't be told apart in a list of names.
    """
    if _looks_latin(sample.decode("cp1252", "replace")):
        return TextEncoding("cp1252", "windows-1252", guessed=True)
    from charset_normalizer import from_bytes

    best_match = from_bytes(sample, cp_isolation=_LEGACY_CODECS, preemptive_behaviour=False).best()
    codec = best_match.encoding if best_match else "cp1252"
    return TextEncoding(codec, codec.replace("cp12", "windows-12"), guessed=True)


def _looks_latin(text: str) -> bool:
    """Return whether most words with non-ASCII letters have ASCII letters too, as ``Zoë`` does."""
    words = [word.strip(_WORD_PUNCTUATION) for word in _WORD.findall(text)]
    non_ascii = [word for word in words if not word.isascii()]
    latin = [
        word
        for word in non_ascii
        if any(char.isascii() and char.isalpha() for char in word)
        and all(char.isascii() or char.isalpha() or char == "\u2019" for char in word)
    ]
    return 2 * len(latin) >= len(non_ascii)
