"""What comes over the wire, byte by byte: slow, too large, cut off, odd."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from newsletter.web.app import make_app
from newsletter.web.http.body_limit import BodyLimitMiddleware
from newsletter.web.site_context import Site

Told = tuple[int, bytes]


def exchange(url: str, sent: bytes) -> Told:
    """Send bytes and read until the server hangs up: (status, all that it said)."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as wire:
        wire.sendall(sent)
        heard = b"".join(iter(lambda: wire.recv(65_536), b""))
    return int(heard.split(b" ", 2)[1]), heard


def post(path: str, *lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join((f"POST {path} HTTP/1.1", "Host: letters.example", *lines))
    return f"{head}\r\n\r\n".encode() + body


@pytest.fixture
def hasty(site: Site, serve: Any) -> Any:
    """The site, with little patience for bodies."""
    return serve(make_app(site, body_timeout=0.05), site.config)


def test_a_body_that_does_not_come_is_cut_off(hasty: Any) -> None:
    status, heard = exchange(hasty.url, post("/u/x", "Content-Length: 20", body=b"List-Unsub"))
    assert status == 408
    assert b"connection: close" in heard.lower()
    assert hasty.get("/healthz").status == 200


def test_a_chunked_body_that_never_ends_is_cut_off(hasty: Any) -> None:
    body = b"a\r\n0123456789\r\n"
    status, _ = exchange(hasty.url, post("/u/x", "Transfer-Encoding: chunked", body=body))
    assert status == 408


def test_a_declared_length_is_refused_before_a_byte_of_it_is_read(server: Any) -> None:
    status, heard = exchange(server.url, post("/subscribe", "Content-Length: 10000000"))
    assert status == 413
    assert b"connection: close" in heard.lower()


def test_a_chunked_body_is_refused_once_it_is_too_large(server: Any) -> None:
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    status, _ = exchange(server.url, post("/subscribe", "Transfer-Encoding: chunked", body=chunk))
    assert status == 413


def test_the_webhook_alone_takes_large_bodies(server: Any) -> None:
    # Unsigned, so refused: but read.
    assert server.post("/webhooks/sendgrid", b"x" * 800_000).status not in {408, 413}
    assert server.post("/webhooks/sendgrid", b"x" * 2_000_001).status == 413
    assert server.post("/api/subscribe", b"x" * 64_001).status == 413


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "many", "+5", "9" * 5_000])
def test_a_length_that_is_no_number_is_refused(server: Any, length: str) -> None:
    status, _ = exchange(server.url, post("/u/x", f"Content-Length: {length}"))
    assert status in {400, 413}


def test_two_ways_of_telling_the_length_are_refused(server: Any) -> None:
    """Request smuggling: a proxy and we must never see different requests."""
    sent = post(
        "/u/x", "Content-Length: 4", "Transfer-Encoding: chunked", "Connection: close",
        body=b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
    )  # fmt: skip
    status, heard = exchange(server.url, sent)
    assert status >= 400
    assert b'"ok"' not in heard


@pytest.mark.parametrize(
    ("kind", "body"),
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
def test_an_odd_form_gets_a_short_page(server: Any, kind: str, body: bytes) -> None:
    answer = server.post("/subscribe", body, **{"Content-Type": kind})
    assert answer.status in {400, 415}
    assert len(answer.data) < 10_000
    assert b"Traceback" not in answer.data


def test_half_a_body_is_not_taken_for_a_whole_one() -> None:
    """A client that is gone in mid-sentence might have meant something else."""
    reached: list[Scope] = []
    sent: list[Message] = []
    heard = iter(
        (
            {"type": "http.request", "body": b"List-Unsubscribe=One-Click", "more_body": True},
            {"type": "http.disconnect"},
        )
    )

    async def receive() -> Message:
        return next(heard)

    async def send(message: Message) -> None:
        sent.append(message)

    async def endpoint(scope: Scope, _: Receive, __: Send) -> None:
        reached.append(scope)

    app = BodyLimitMiddleware(
        endpoint, handle_refusal=lambda _, refused: Response(status_code=refused.status)
    )
    chunked = [(b"transfer-encoding", b"chunked")]
    asking = app({"type": "http", "path": "/u/x", "headers": chunked}, receive, send)
    with ThreadPoolExecutor(1) as other:  # a browser may have its loop in this thread
        other.submit(asyncio.run, asking).result()
    assert reached == []
    assert sent[0]["status"] == 400
