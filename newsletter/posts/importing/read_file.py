"""Read a post's source from a file or standard input."""

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
_PATH_CHARACTER = re.compile(r"[\w./-]")


@dataclass(frozen=True, slots=True)
class PostSource:
    r"""The content of a post's source file.

    Attributes:
        name: path as the user typed it; ``-`` for standard input.
        text: its content, with ``\n`` line ends.
        sha256: SHA-256 of its bytes, hex.
        folder: folder of the file and its images; ``None`` for standard input.
    """

    name: str
    text: str
    sha256: str
    folder: Path | None

    @property
    def file_name(self) -> str:
        """The file's name with its folder's, to recognize it again; empty for standard input."""
        return f"{self.folder.name}/{Path(self.name).name}" if self.folder else ""

    def find_line(self, reference: str) -> int | None:
        """Return the 1-based line of the first ``reference``, percent-encoded or not."""
        for form in (reference, unquote(reference)):
            # str.find() first: an expression that looks behind each character takes ten times as
            # long, and posts may have thousands of images.
            start = self.text.find(form)
            while start > 0 and _PATH_CHARACTER.match(self.text[start - 1]):
                start = self.text.find(form, start + 1)
            if start >= 0:
                return self.text.count("\n", 0, start) + 1
        return None


def read_post_source(name: str, max_bytes: int) -> PostSource:
    """Read a post's source.

    Args:
        name: a path, or ``-`` for standard input.
        max_bytes: size limit of a post; no more bytes are read.

    Raises:
        PostError: the file is missing, a folder, too large, binary, or in an unknown encoding.
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
            "this is a folder in which no posts are found",
            where=Location(name),
            remedy="Give the path of a post's file, or of a blog's folder.",
        ) from None
    except FileNotFoundError:
        raise PostError(
            "there is no such file",
            where=Location(name),
            remedy="Check the path, or use - for standard input.",
        ) from None


def _too_big_error(name: str, size: str, max_bytes: int) -> PostError:
    return PostError(
        f"the post has {size}; the limit is {max_bytes:,}",
        where=Location(name),
        remedy="Raise limits.post_bytes in newsletter.yml if it really is one post.",
    )
