"""Limits of request heads and trailers: size, time (slowloris)."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from newsletter.web.http.http_protocol import MAX_HEAD_BYTES, MAX_REQUEST_BYTES, LimitedHttpProtocol


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=60)


def receive_all(sock: socket.socket) -> bytes:
    """All that the server sends before it closes the connection."""
    received = b""
    try:
        while part := sock.recv(65_536):
            received += part
    except ConnectionError:
        pass
    return received


def send_repeatedly(sock: socket.socket, piece: bytes, limit: int) -> int:
    """Send the same piece until the server closes the connection; return how often it was sent."""
    for times in range(limit):
        try:
            sock.sendall(piece)
        except ConnectionError:
            return times
    return limit


@pytest.mark.parametrize(
    "start", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nHost: a\r\n"]
)
def test_endless_head_is_cut_off(server: Any, start: bytes) -> None:
    with connect(server.url) as sock:
        sock.sendall(start)
        piece = b"x: a\r\n" * 1_000 if start.endswith(b"\n") else b"a" * 6_000
        assert send_repeatedly(sock, piece, 5_000) < 5_000
    assert server.get("/healthz").status == 200


def test_endless_trailer_is_cut_off(server: Any) -> None:
    with connect(server.url) as sock:
        sock.sendall(b"POST /u/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        piece = b"x: " + b"a" * 60_000 + b"\r\n"
        limit = 20 * MAX_REQUEST_BYTES // len(piece)
        assert send_repeatedly(sock, piece, limit) < limit
    assert server.get("/healthz").status == 200


def test_head_that_never_arrives_times_out(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LimitedHttpProtocol, "head_timeout", 0.05)
    for start in (b"", b"GET /healthz HT"):
        with connect(server.url) as sock:
            sock.sendall(start)
            assert receive_all(sock).startswith(b"HTTP/1.1 400 ")


def test_limit_applies_to_each_request_of_a_connection(server: Any) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n"
    with connect(server.url) as sock:
        for _ in range(3):
            sock.sendall(head)
            response = b""
            while not response.endswith(b'"ok"}'):
                response += (part := sock.recv(65_536))
                assert part
            assert response.startswith(b"HTTP/1.1 200 ")
        sock.sendall(head[:-4])
        sock.sendall(b"a" * 200)
        assert b"too large" in receive_all(sock)
