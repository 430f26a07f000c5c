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
from newsletter.posts.text_encoding import decode_text

STDIN = "-"


@dataclass(frozen=True, slots=True)
class PostSource:
    r"""A post's file, read.

    Attributes:
        name: as the user would type it; ``-`` for standard input.
        text: its content, with ``\n`` line ends.
        sha256: SHA-256 of its bytes, hex.
        folder: where its pictures are; ``None`` for standard input.
    """

    name: str
    text: str
    sha256: str
    folder: Path | None

    def find_line(self, reference: str) -> int | None:
        """The 1-based line on which ``words`` first stand, percent-encoded or not."""
        for form in (reference, unquote(reference)):
            if found := re.search(rf"(?<![\w./-]){re.escape(form)}", self.text):
                return self.text.count("\n", 0, found.start()) + 1
        return None


def read_post_source(name: str, max_bytes: int) -> PostSource:
    """Read a post.

    Args:
        name: a path, or ``-`` for standard input.
        max_bytes: bytes that a post may have; no more are read.

    Raises:
        PostError: not there, a folder, too big, binary, or in no encoding that can be told.
    """
    data = (
        sys.stdin.buffer.read(max_bytes + 1)
        if name == STDIN
        else _read_bytes(Path(name), max_bytes)
    )
    if len(data) > max_bytes:
        raise _too_big_error(name, f"more than {max_bytes:,} bytes", max_bytes)
    folder = None if name == STDIN else Path(name).resolve().parent
    return PostSource(name, decode_text(data, name), hashlib.sha256(data).hexdigest(), folder)


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    name = str(path)
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size > max_bytes:
                raise _too_big_error(name, f"{status.st_size:,} bytes", max_bytes)
            return file.read(max_bytes + 1)
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


def _too_big_error(name: str, size: str, max_bytes: int) -> PostError:
    return PostError(
        f"the post has {size}; the limit is {max_bytes:,}",
        where=Location(name),
        remedy="Raise limits.post_bytes in newsletter.yml if it really is one post.",
    )
