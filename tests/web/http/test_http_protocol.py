"""Connections that never come to the point."""

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from newsletter.web.http.http_protocol import MAX_HEAD_BYTES, MAX_REQUEST_BYTES, LimitedHttpProtocol


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=60)


def hear(wire: socket.socket) -> bytes:
    """All that the server says before it hangs up."""
    heard = b""
    try:
        while part := wire.recv(65_536):
            heard += part
    except ConnectionError:
        pass
    return heard


def shout(wire: socket.socket, piece: bytes, most: int) -> int:
    """Say the same again until the server hangs up: how often it could be said."""
    for times in range(most):
        try:
            wire.sendall(piece)
        except ConnectionError:
            return times
    return most


@pytest.mark.parametrize(
    "begun", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nHost: a\r\n"]
)
def test_a_head_without_end_is_not_read_to_its_end(server: Any, begun: bytes) -> None:
    with connect(server.url) as wire:
        wire.sendall(begun)
        piece = b"x: a\r\n" * 1_000 if begun.endswith(b"\n") else b"a" * 6_000
        assert shout(wire, piece, 5_000) < 5_000
    assert server.get("/healthz").status == 200


def test_a_trailer_without_end_is_not_read_to_its_end(server: Any) -> None:
    with connect(server.url) as wire:
        wire.sendall(b"POST /u/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        piece = b"x: " + b"a" * 60_000 + b"\r\n"
        most = 20 * MAX_REQUEST_BYTES // len(piece)
        assert shout(wire, piece, most) < most
    assert server.get("/healthz").status == 200


def test_a_head_that_does_not_come_is_not_waited_for(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LimitedHttpProtocol, "head_timeout", 0.05)
    for begun in (b"", b"GET /healthz HT"):
        with connect(server.url) as wire:
            wire.sendall(begun)
            assert hear(wire).startswith(b"HTTP/1.1 400 ")


def test_the_second_request_of_a_connection_has_its_own_measure(server: Any) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n"
    with connect(server.url) as wire:
        for _ in range(3):
            wire.sendall(head)
            heard = b""
            while not heard.endswith(b'"ok"}'):
                heard += (part := wire.recv(65_536))
                assert part
            assert heard.startswith(b"HTTP/1.1 200 ")
        wire.sendall(head[:-4])
        wire.sendall(b"a" * 200)
        assert b"too long" in hear(wire)
