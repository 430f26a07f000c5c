"""Request bodies over raw sockets: slow, too large, truncated, malformed."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from newsletter.web.app import make_app
from newsletter.web.http.request_limits import RequestLimitsMiddleware
from newsletter.web.site_context import Site


def exchange(url: str, sent: bytes) -> tuple[int, bytes]:
    """Send bytes and read until the server closes the connection: (status, response)."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as sock:
        sock.sendall(sent)
        response = b"".join(iter(lambda: sock.recv(65_536), b""))
    return int(response.split(b" ", 2)[1]), response


def post(path: str, *lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join((f"POST {path} HTTP/1.1", "Host: letters.example", *lines))
    return f"{head}\r\n\r\n".encode() + body


@pytest.fixture
def short_timeout_server(site: Site, serve: Any) -> Any:
    """The site with a short timeout for bodies."""
    return serve(make_app(site, body_timeout=0.05), site.config)


def test_body_that_never_arrives_times_out(short_timeout_server: Any) -> None:
    status, response = exchange(
        short_timeout_server.url, post("/u/x", "Content-Length: 20", body=b"List-Unsub")
    )
    assert status == 408
    assert b"connection: close" in response.lower()
    assert short_timeout_server.get("/healthz").status == 200


def test_chunked_body_that_never_ends_times_out(short_timeout_server: Any) -> None:
    body = b"a\r\n0123456789\r\n"
    status, _ = exchange(
        short_timeout_server.url, post("/u/x", "Transfer-Encoding: chunked", body=body)
    )
    assert status == 408


def test_declared_length_over_the_limit_is_refused_before_reading(server: Any) -> None:
    status, response = exchange(server.url, post("/subscribe", "Content-Length: 10000000"))
    assert status == 413
    assert b"connection: close" in response.lower()


def test_chunked_body_is_refused_once_it_is_too_large(server: Any) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    status, _ = exchange(server.url, post("/subscribe", "Transfer-Encoding: chunked", body=chunk))
    assert status == 413


def test_only_the_webhook_accepts_large_bodies(server: Any) -> None:
    # Refused as it is not signed, but read in full.
    assert server.post("/webhooks/sendgrid", b"x" * 800_000).status not in {408, 413}
    assert server.post("/webhooks/sendgrid", b"x" * 2_000_001).status == 413
    assert server.post("/api/subscribe", b"x" * 64_001).status == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "many", "+5", "9" * 5_000])
def test_invalid_content_length_is_refused(server: Any, length: str) -> None:
    status, _ = exchange(server.url, post("/u/x", f"Content-Length: {length}"))
    assert status in {400, 413}


def test_content_length_with_transfer_encoding_is_refused(server: Any) -> None:
    """Request smuggling: a proxy and the server must never see different requests."""
    sent = post(
        "/u/x",
        "Content-Length: 4",
        "Transfer-Encoding: chunked",
        "Connection: close",
        body=b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    )
    status, response = exchange(server.url, sent)
    assert status >= 400
    assert b'"ok"' not in response


def test_chunked_body_of_http_1_0_is_refused(server: Any) -> None:
    """A proxy that speaks HTTP/1.0 doesn't know chunks (RFC 9112, 6.1)."""
    sent = post("/u/x", "Transfer-Encoding: chunked", body=b"0\r\n\r\n")
    assert exchange(server.url, sent.replace(b"HTTP/1.1", b"HTTP/1.0"))[0] == 400


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/plain", b"email=a%40b.example"),
        ("multipart/form-data; boundary=x", b"--x--\r\n"),
        ("application/json", b"{}"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"e\x00m\x00=\x00"),
        ("application/x-www-form-urlencoded", b"email=\xff\xfe"),
        ("application/x-www-form-urlencoded", b"email=%ff%fe"),
        ("application/x-www-form-urlencoded", b"email=a%00%40b.example"),
        ("application/x-www-form-urlencoded", b"email=a%0d%0aBcc%3A%20x%40b.example"),
        ("application/x-www-form-urlencoded", b"email=a&email=b"),
        ("application/x-www-form-urlencoded", b"&".join(b"f%d=1" % n for n in range(51))),
    ],
)
def test_malformed_form_gets_a_short_error_page(server: Any, media_type: str, body: bytes) -> None:
    response = server.post("/subscribe", body, **{"Content-Type": media_type})
    assert response.status in {400, 415}
    assert len(response.data) < 10_000
    assert b"Traceback" not in response.data


def test_truncated_body_is_not_processed() -> None:
    """The part of a body that a disconnected client has not sent could have changed its meaning."""
    reached: list[Scope] = []
    sent: list[Message] = []
    messages = iter(
        (
            {"type": "http.request", "body": b"List-Unsubscribe=One-Click", "more_body": True},
            {"type": "http.disconnect"},
        )
    )

    async def receive() -> Message:
        return next(messages)

    async def send(message: Message) -> None:
        sent.append(message)

    async def endpoint(scope: Scope, _: Receive, __: Send) -> None:
        reached.append(scope)

    app = RequestLimitsMiddleware(
        endpoint, handle_refusal=lambda _, refused: Response(status_code=refused.status)
    )
    chunked = [(b"transfer-encoding", b"chunked")]
    scope = {"type": "http", "http_version": "1.1", "path": "/u/x", "headers": chunked}
    call = app(scope, receive, send)
    with ThreadPoolExecutor(1) as pool:  # browser tests may run an event loop in this thread
        pool.submit(asyncio.run, call).result()
    assert reached == []
    assert sent[0]["status"] == 400
