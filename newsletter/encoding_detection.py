"""Detect in which encoding a text file is, in constant memory."""

import codecs
import re
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose BOM it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
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


def detect_encoding(
    file: BinaryIO,
    *,
    find_stated: Callable[[bytes], TextEncoding | None],
    guess: Callable[[bytes], TextEncoding | None],
    tolerant: bool = False,
) -> TextEncoding | None:
    """Detect a file's encoding: by its byte-order mark, UTF-8 if valid, or else by a guess.

    Args:
        file: the file, at its beginning; its position afterwards is undefined.
        find_stated: finds in the first bytes, which have no byte-order mark, what states the
            encoding; may raise an error, because they are those of a binary file.
        guess: guesses it from a sample of the lines that aren't ASCII.
        tolerant: whether a file with a few invalid bytes is still UTF-8.

    Returns:
        ``None`` if the guess is.
    """
    head = file.read(_SAMPLE_SIZE)
    for bom, codec in _BOMS:
        if head.startswith(bom):
            return TextEncoding(codec, codec.removesuffix("-sig").upper())
    if stated := find_stated(head):
        return stated
    file.seek(0)
    sample = _sample_unless_utf8(file, tolerant=tolerant)
    return TextEncoding("utf-8", "UTF-8") if sample is None else guess(sample)


def guess_for_names(sample: bytes) -> TextEncoding:
    """Guess Windows-1252 for Latin letters, and by the frequency of letters for other scripts.

    Windows-1250 and -1257 differ from 1252 in letters that can't be told apart in a list of names.
    """
    if _looks_latin(sample.decode("cp1252", "replace")):
        return TextEncoding("cp1252", "windows-1252", guessed=True)
    from charset_normalizer import from_bytes

    best_match = from_bytes(sample, cp_isolation=_LEGACY_CODECS, preemptive_behaviour=False).best()
    codec = best_match.encoding if best_match else "cp1252"
    return TextEncoding(codec, codec.replace("cp12", "windows-12"), guessed=True)


def guess_for_prose(data: bytes) -> TextEncoding | None:
    """Guess by the words of a language; ``None`` where that is no better than chance."""
    from charset_normalizer import from_bytes

    # By its default it follows a declaration in the text, with every codec that Python has.
    matches = from_bytes(data, preemptive_behaviour=False)
    if any("cp1252" in match.could_be_from_charset for match in matches):
        return TextEncoding("cp1252", "windows-1252", guessed=True)
    best = matches.best()
    # Without coherence in some language, a guess other than Windows-1252 is no better than chance.
    if best is None or not best.coherence:
        return None
    return TextEncoding(best.encoding, best.encoding, guessed=True)


def find_utf_16(head: bytes) -> TextEncoding | None:
    """Recognize UTF-16 without a byte-order mark: of Latin text in it, every other byte is NUL."""
    for codec, high_bytes in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if len(high_bytes) > 1 and high_bytes.count(0) * 2 > len(high_bytes):
            return TextEncoding(codec, "UTF-16")
    return None


def _sample_unless_utf8(file: BinaryIO, *, tolerant: bool) -> bytes | None:
    """Return ``None`` if the file is valid UTF-8, else a sample of its non-ASCII lines."""
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    sample, valid_count, invalid_count = b"", 0, 0
    block = file.read(_BLOCK_SIZE)
    while block:
        next_block = file.read(_BLOCK_SIZE)
        text = decoder.decode(block, final=not (next_block or tolerant))
        if not text.isascii():
            invalid_in_block = len(_UNDECODABLE.findall(text))
            if invalid_in_block and not sample:
                sample = b"\n".join(line for line in block.splitlines() if not line.isascii())
            invalid_count += invalid_in_block
            valid_count += len(_NON_ASCII.findall(text))
        block = next_block
    limit = valid_count if tolerant else 0
    return sample[:_SAMPLE_SIZE] if invalid_count > limit else None


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
