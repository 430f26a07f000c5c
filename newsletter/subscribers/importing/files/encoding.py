"""Detect the encoding of a file without holding it in memory."""

import codecs
import re
from typing import BinaryIO, NamedTuple

from newsletter.errors import Location, SubscriberListError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins with UTF-16's mark
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
    """How to decode a file.

    Attributes:
        codec: Python's name of it.
        name: its usual name, to show.
        guessed: whether nothing but the look of the bytes says so.
    """

    codec: str
    name: str
    guessed: bool = False


def detect_encoding(file: BinaryIO, where: Location) -> TextEncoding:
    """Find a file's encoding: by its mark, else UTF-8 if it holds, else by the look of it.

    A UTF-8 file with a few bytes that aren't stays UTF-8: those rows are refused, not all
    other rows spoilt.

    Args:
        file: at its beginning; left anywhere.
        where: its name, for messages.

    Raises:
        ListError: it is empty or no text.
    """
    head = file.read(_SAMPLE_SIZE)
    if not head.strip():
        raise SubscriberListError(
            "the file is empty", where=where, remedy="Give a CSV file of addresses."
        )
    for mark, codec in _BOMS:
        if head.startswith(mark):
            return TextEncoding(codec, codec.removesuffix("-sig").upper())
    for mark, what in _BINARY_SIGNATURES:
        if head.startswith(mark):
            raise SubscriberListError(
                f"this is {what}", where=where, remedy="Save or unpack it as CSV and import that."
            )
    if _is_mostly_nul(head[1::2]):
        return TextEncoding("utf-16-le", "UTF-16")
    if _is_mostly_nul(head[::2]):
        return TextEncoding("utf-16-be", "UTF-16")
    file.seek(0)
    sample = _sample_unless_utf8(file)
    return TextEncoding("utf-8", "UTF-8") if sample is None else _guess_encoding(sample)


def _is_mostly_nul(data: bytes) -> bool:
    """Whether half of a UTF-16 file's bytes, as Latin letters make them."""
    return len(data) > 1 and data.count(0) * 2 > len(data)


def _sample_unless_utf8(file: BinaryIO) -> bytes | None:
    """``None`` if the file is UTF-8 on the whole; else some of what isn't."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    sample, right, wrong = b"", 0, 0
    while block := file.read(_BLOCK_SIZE):
        text = decoder.decode(block)
        if text.isascii():
            continue
        found = len(_UNDECODABLE.findall(text))
        if found and not sample:
            sample = _non_ascii_lines(block)
        wrong += found
        right += len(_NON_ASCII.findall(text))
    return sample if wrong > right else None


def _non_ascii_lines(block: bytes) -> bytes:
    """The lines that hold something beyond ASCII."""
    return b"\n".join(line for line in block.splitlines() if not line.isascii())[:_SAMPLE_SIZE]


def _guess_encoding(sample: bytes) -> TextEncoding:
    """Latin letters are Windows-1252; for the rest a library looks at how often letters come.

    Windows-1250 and -1257 differ from 1252 in letters that a list of names can't tell apart.
    """
    if _looks_latin(sample.decode("cp1252", "replace")):
        return TextEncoding("cp1252", "windows-1252", guessed=True)
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=_LEGACY_CODECS).best()
    codec = best.encoding if best else "cp1252"
    return TextEncoding(codec, codec.replace("cp12", "windows-12"), guessed=True)


def _looks_latin(text: str) -> bool:
    """Whether most words with letters beyond ASCII have others too, as in ``Zoë``."""
    words = [word.strip(_WORD_PUNCTUATION) for word in _WORD.findall(text)]
    foreign = [word for word in words if not word.isascii()]
    latin = [
        word
        for word in foreign
        if any(char.isascii() and char.isalpha() for char in word)
        and all(char.isascii() or char.isalpha() or char == "\u2019" for char in word)
    ]
    return 2 * len(latin) >= len(foreign)
