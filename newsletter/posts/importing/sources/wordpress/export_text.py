"""Read a WordPress export as text and split it into its items.

Each item is parsed for itself, so that a damaged one spoils no other, and memory doesn't grow with
their number.
"""

import codecs
import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import IO

from newsletter.errors import Location, PostError
from newsletter.posts.encoding_labels import find_codec

_CHUNK_BYTES = 1 << 18
_HEAD_BYTES = 4096
_MAX_HEADER_CHARACTERS = 20_000_000  # a blog may have 100,000 tags, all of them before its items
_KEPT_OF_LARGE_ITEM = 50_000  # characters, with its title
_ENCODING = re.compile(rb"""<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_NAMESPACE = b"://wordpress.org/export/"  # of http or https; the version follows
_TOKEN = re.compile(r"<!\[CDATA\[|<item(?=[\s>])|</item\s{0,9}>")
_MAX_TOKEN_LENGTH = 20  # characters
_ROOT = re.compile(r"<rss[\s>]")
_DOCTYPE = re.compile(r"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_END_TAG = re.compile(r"</rss\s{0,9}>\s*\Z")
# Invalid in XML 1.0 (2.2), however they are written; some editors and databases leave them in.
_CONTROL_CHARACTERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_DAMAGE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\udc80-\udcff]")
_INVALID_BYTE = re.compile("[\udc80-\udcff]")  # as the error handler surrogateescape has it


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file of an export.

    Attributes:
        name: its name, for messages.
        open: opens it.
    """

    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, slots=True)
class ExportPart:
    """A part of an export.

    Attributes:
        kind: the ``"header"`` before the items, an ``"item"``, one that is ``"too large"``, of
            which only the beginning is here, one that is ``"cut off"``, as the file ends in it,
            or the ``"end"`` of a file without its last tag.
        text: its XML, which may be damaged.
        line: 1-based line of the file on which it begins.
        control_characters: the number of characters that were removed from it.
        invalid_bytes: the number of its bytes that are invalid in the file's encoding, and were
            read as Windows-1252.
    """

    kind: str
    text: str
    line: int
    control_characters: int = 0
    invalid_bytes: int = 0


def is_wordpress_export(head: bytes) -> bool:
    """Return whether a file that begins with these bytes is an export of WordPress.

    Args:
        head: its first kilobytes, in any encoding.
    """
    return _NAMESPACE in head.replace(b"\0", b"")


def iter_export_parts(file: ExportFile, max_item_characters: int) -> Iterator[ExportPart]:
    """Yield the header and the items of a file.

    Args:
        file: the file.
        max_item_characters: the size from which an item is too large.

    Raises:
        PostError: it is no export, or declares entities.
        OSError: it can't be read.
    """
    with file.open() as stream:
        yield from _Splitter(file.name, max_item_characters).split(_iter_text(stream))


def _iter_text(stream: IO[bytes]) -> Iterator[str]:
    r"""Yield the text piece by piece, with ``\n`` line ends."""
    data = stream.read(_CHUNK_BYTES)
    codec = _find_codec(data)
    errors = "replace" if codec == "utf-16" else "surrogateescape"
    decoder = io.IncrementalNewlineDecoder(
        codecs.getincrementaldecoder(codec)(errors), translate=True
    )
    while data:
        yield decoder.decode(data)
        data = stream.read(_CHUNK_BYTES)
    yield decoder.decode(b"", final=True)


def _find_codec(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    found = _ENCODING.search(head[:_HEAD_BYTES])
    codec = found and find_codec(found[1].decode())
    return "utf-8-sig" if codec in {None, "utf-8"} else str(codec)


class _Splitter:
    """Splits the text of an export at its ``<item>`` tags; those in CDATA are text.

    Args:
        name: the file's name, for messages.
        max_item_characters: the size from which an item is too large.
    """

    def __init__(self, name: str, max_item_characters: int) -> None:
        self._name = name
        self._max_item_characters = max_item_characters
        self._kind = "header"  # of the part under way; empty between two items
        self._part_line = 1
        self._kept = ""  # the beginning of an item that is too large
        self._text = ""  # what was not yielded yet
        self._line = 1  # on which it begins
        self._position = 0  # in it, from where the next token is looked for
        self._in_cdata = False
        self._is_damaged = False  # whether anything in the file has to be cleaned

    def split(self, chunks: Iterator[str]) -> Iterator[ExportPart]:
        """Yield the parts.

        Raises:
            PostError: it is no export, or declares entities.
        """
        for chunk in chunks:
            self._text += chunk
            self._is_damaged = self._is_damaged or bool(_DAMAGE.search(chunk))
            yield from self._iter_whole_parts()
            self._check_size()
        is_whole = bool(_END_TAG.search(self._text))
        if self._kind == "header":
            yield self._make_header(self._text)
        elif self._kind:
            self._kept = self._kept or self._text[:_KEPT_OF_LARGE_ITEM]
            yield self._end_item("cut off" if self._kind == "item" else self._kind, 0)
        if not is_whole and self._kind in {"", "header"}:
            yield ExportPart("end", "", self._line + self._text.count("\n"))

    def _iter_whole_parts(self) -> Iterator[ExportPart]:
        while token := self._find_token():
            if token[0] == "<![CDATA[":
                self._in_cdata = True
            elif token[0] == "<item":
                if self._kind == "header":
                    yield self._make_header(self._text[: token.start()])
                elif self._kind:  # the one before has no end tag
                    yield self._end_item(self._kind, token.start())
                self._drop(token.start())
                self._kind, self._part_line = "item", self._line
            elif self._kind in {"item", "too large"}:
                yield self._end_item(self._kind, token.end())
                self._drop(token.end())
                self._kind = ""

    def _find_token(self) -> re.Match[str] | None:
        """Return the next token outside of CDATA, and move behind it."""
        if self._in_cdata:
            end = self._text.find("]]>", self._position)
            if end < 0:
                self._position = max(self._position, len(self._text) - 2)
                return None
            self._in_cdata, self._position = False, end + 3
        found = _TOKEN.search(self._text, self._position)
        self._position = (
            found.end() if found else max(self._position, len(self._text) - _MAX_TOKEN_LENGTH)
        )
        return found

    def _check_size(self) -> None:
        """Keep only the beginning of an item that is too large, and nothing between items."""
        if self._kind == "header":
            if len(self._text) > _MAX_HEADER_CHARACTERS:
                raise PostError(
                    "the export has no post in its first "
                    f"{_MAX_HEADER_CHARACTERS // 1_000_000} million characters",
                    where=Location(self._name),
                )
            return
        if self._kind == "item" and len(self._text) > self._max_item_characters:
            self._kind, self._kept = "too large", self._text[:_KEPT_OF_LARGE_ITEM]
        if self._kind != "item":
            self._drop(self._position)

    def _drop(self, end: int) -> None:
        self._line += self._text.count("\n", 0, end)
        self._text = self._text[end:]
        self._position -= end

    def _end_item(self, kind: str, end: int) -> ExportPart:
        text, self._kept = self._kept or self._text[:end], ""
        return self._clean(ExportPart(kind, text, self._part_line))

    def _make_header(self, text: str) -> ExportPart:
        root = _ROOT.search(text)
        if _DOCTYPE.search(text, 0, root.start() if root else len(text)):
            raise PostError(
                "the export has a document type declaration, which no export of WordPress has",
                where=Location(self._name),
                remedy="Export it again from WordPress: Tools > Export.",
            )
        if root is None:
            raise PostError(
                "this isn't an export of WordPress: it has no <rss> element",
                where=Location(self._name),
                remedy="Export the blog from WordPress: Tools > Export.",
            )
        return self._clean(ExportPart("header", text[root.start() :], 1))

    def _clean(self, part: ExportPart) -> ExportPart:
        if not self._is_damaged:
            return part
        text, controls = _CONTROL_CHARACTERS.subn("", part.text)
        text, invalid = _INVALID_BYTE.subn(_read_as_cp1252, text)
        return replace(part, text=text, control_characters=controls, invalid_bytes=invalid)


def _read_as_cp1252(found: re.Match[str]) -> str:
    return found[0].encode("utf-8", "surrogateescape").decode("cp1252", "replace")
