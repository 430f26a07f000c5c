"""Fixtures: posts to import, and an image for them."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

Inbox = Callable[..., Path]


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """Return a function that writes a file outside the project and returns its path."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / "inbox" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(scope="session")
def picture() -> bytes:
    """Return a PNG of one black pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
            chunk(b"IDAT", zlib.compress(b"\0\0")),
            chunk(b"IEND", b""),
        )
    )
