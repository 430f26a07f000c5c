"""The bytes of a post, wherever they come from."""

import hashlib
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from newsletter.errors import Location, PostError
from newsletter.posts.text_encoding import decode

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    r"""A post's file, read.

    Attributes:
        name: as the user would type it; ``-`` for standard input.
        text: its content, with ``\n`` line ends.
        sha: SHA-256 of its bytes, hex.
        folder: where its pictures are; ``None`` for standard input.
    """

    name: str
    text: str
    sha: str
    folder: Path | None

    def line_of(self, words: str) -> int | None:
        """The 1-based line on which ``words`` first stand, percent-encoded or not."""
        for form in (words, unquote(words)):
            if found := re.search(rf"(?<![\w./-]){re.escape(form)}", self.text):
                return self.text.count("\n", 0, found.start()) + 1
        return None


def read_source(name: str, limit: int) -> Source:
    """Read a post.

    Args:
        name: a path, or ``-`` for standard input.
        limit: bytes that a post may have; no more are read.

    Raises:
        PostError: not there, a folder, too big, binary, or in no encoding that can be told.
    """
    data = sys.stdin.buffer.read(limit + 1) if name == STDIN else _read(Path(name), limit)
    if len(data) > limit:
        raise _too_big(name, f"more than {limit:,} bytes", limit)
    folder = None if name == STDIN else Path(name).resolve().parent
    return Source(name, decode(data, name), hashlib.sha256(data).hexdigest(), folder)


def _read(path: Path, limit: int) -> bytes:
    name = str(path)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size > limit:
                raise _too_big(name, f"{status.st_size:,} bytes", limit)
            return file.read(limit + 1)
    except IsADirectoryError:
        raise PostError(
            "this is a folder, not a post",
            where=Location(name),
            remedy="Name the post's file in it.",
        ) from None
    except FileNotFoundError:
        raise PostError(
            "there is no such file",
            where=Location(name),
            remedy="Check the path, or use - for a pipe.",
        ) from None


def _too_big(name: str, size: str, limit: int) -> PostError:
    return PostError(
        f"the post has {size}; the limit is {limit:,}",
        where=Location(name),
        remedy="Raise limits.post_bytes in newsletter.yml if it really is one post.",
    )
