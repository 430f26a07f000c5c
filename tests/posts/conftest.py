"""Issue folders and configuration for the tests of posts."""

import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from newsletter.config.models import Config, SenderSettings
from newsletter.posts import Issue
from newsletter.posts.read_issue import read_issue

MakeIssue = Callable[..., Path]
ReadPost = Callable[..., Issue]


@pytest.fixture(scope="session")
def config() -> Config:
    return Config(
        name="Harbour Notes",
        sender=SenderSettings(name="Harbour Notes", address="editor@harbournotes.example"),
        site_url="https://harbournotes.example",
        attributes={"name": "friend"},
    )


@pytest.fixture(scope="session")
def png() -> Callable[[int, int], bytes]:
    """Return a function that makes a black PNG of a width and a height."""

    def chunk(chunk_type: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(chunk_type + data)
        return struct.pack(">I", len(data)) + chunk_type + data + struct.pack(">I", checksum)

    def image(width: int, height: int) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        rows = zlib.compress((b"\0" + bytes((width + 7) // 8)) * height)
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", rows)
            + chunk(b"IEND", b"")
        )

    return image


@pytest.fixture
def make_issue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeIssue:
    """Return a function that writes ``issues/2026-11-22-first-boat``: a post, files beside it."""
    monkeypatch.chdir(tmp_path)

    def make(
        text: str | bytes, files: Mapping[str, bytes] | None = None, name: str = "post.md"
    ) -> Path:
        folder = tmp_path / "issues" / "2026-11-22-first-boat"
        for path, data in {
            name: text.encode() if isinstance(text, str) else text,
            **(files or {}),
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        return folder

    return make


@pytest.fixture
def read_post(make_issue: MakeIssue, config: Config) -> ReadPost:
    """Return a function that writes a post into an issue's folder and reads the issue."""

    def read(
        text: str | bytes, files: Mapping[str, bytes] | None = None, name: str = "post.md"
    ) -> Issue:
        return read_issue(make_issue(text, files, name), config)

    return read
