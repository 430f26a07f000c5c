"""A file that changes, or vanishes, while it is being sent."""

import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.web.http.file_response import StableFileResponse
from newsletter.web.http.request_data import RequestRefusedError
from newsletter.web.site_context import Site

SIZE = 20_000_000  # more than the buffers between server and client


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "large.png"
    path.write_bytes(bytes(SIZE))
    return path


@pytest.fixture
def file_server(site: Site, serve: Any, path: Path) -> Any:
    """Serve the file, and ``/gone``: one that was deleted before it could be opened."""
    status = path.stat()
    gone = path.with_name("gone.png")
    app = Starlette(
        routes=[
            Route("/large.png", lambda _: StableFileResponse(path, stat_result=status)),
            Route("/gone.png", lambda _: StableFileResponse(gone, stat_result=status)),
        ],
        exception_handlers={RequestRefusedError: _refuse},
    )
    return serve(app, site.config, send_buffer=4_096)


def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefusedError)
    return Response("refused", error.status)


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("change", "ranges"),
    [
        (partial(os.truncate, length=SIZE // 2), ""),
        (partial(os.truncate, length=0), ""),
        (append, ""),
        (partial(os.truncate, length=SIZE // 2), "bytes=5-"),
        (partial(os.truncate, length=SIZE // 2), f"bytes=0-9,50-{SIZE}"),
    ],
    ids=["half", "empty", "longer", "half of a range", "half of two ranges"],
)
def test_file_that_changes_while_it_is_sent_ends_the_connection(
    file_server: Any,
    path: Path,
    change: Callable[[Path], None],
    ranges: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    parts = urlsplit(file_server.url)
    range_line = f"Range: {ranges}\r\n" if ranges else ""
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as sock:
        sock.sendall(f"GET /large.png HTTP/1.1\r\nHost: a\r\n{range_line}\r\n".encode())
        received = len(sock.recv(10))
        change(path)
        while part := sock.recv(1_000_000):
            received += len(part)
    file_server.wait_for_connections(0)
    assert received < SIZE + 1_000 - (0 if change is append else SIZE // 4)
    assert [record for record in caplog.records if record.exc_info] == []
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage().endswith("/large.png could not be sent: its size has changed")


def test_file_that_cannot_be_opened_is_not_found(
    file_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert file_server.get("/gone.png").status == 404
    assert "/gone.png could not be sent: No such file or directory" in caplog.text
    assert [record for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize(
    ("method", "ranges", "status", "size"),
    [
        ("GET", "", 200, SIZE),
        ("HEAD", "", 200, 0),
        ("GET", "bytes=5-14", 206, 10),
        ("HEAD", "bytes=5-14", 206, 0),
        ("GET", "bytes=99999999-", 416, 0),
        ("GET", "bytes=x", 400, 37),
    ],
)
def test_file_that_stays_is_sent_whole(
    file_server: Any, method: str, ranges: str, status: int, size: int
) -> None:
    headers = {"Range": ranges} if ranges else {}
    response = file_server.request(method, "/large.png", **headers)
    assert response.status == status
    assert len(response.data) == size
