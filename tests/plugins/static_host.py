"""Fixture: a static web host on this machine, which serves a folder."""

import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


@dataclass(frozen=True)
class StaticHost:
    """A running host.

    Attributes:
        folder: what it serves.
        url: its address, without a trailing slash.
    """

    folder: Path
    url: str


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """No-op."""


@pytest.fixture
def static_host(tmp_path: Path) -> Iterator[StaticHost]:
    folder = tmp_path / "static-host"
    folder.mkdir()
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield StaticHost(folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
