"""Hostile clients over real sockets: silent, slow, greedy, ambiguous."""

import asyncio
import queue
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from newsletter.web.app import make_app
from newsletter.web.http.connection_limits import DEFAULT_LIMITS, ConnectionLimits
from newsletter.web.http.piecewise_send import PIECE_BYTES, PiecewiseSendMiddleware
from newsletter.web.http.request_limits import (
    MAX_BUFFERED_BYTES_PER_CLIENT,
    RequestLimitsMiddleware,
)
from newsletter.web.http.request_parser import MAX_HEAD_BYTES
from newsletter.web.site_context import Site

# Short, so that a connection which has to wait for the end of one is cut within a test.
SHORT = ConnectionLimits(
    head_seconds=0.2, body_seconds=0.2, request_seconds=0.6, stalled_seconds=0.4
)
ATTACKER = "127.0.0.2"  # another address of this machine, that is no trusted proxy
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
MAX_WAIT_SECONDS = 20.0
LARGE = bytes(300 * PIECE_BYTES)
UNSENT_BYTES = 60_000  # what asyncio takes at once, and small buffers of the kernel don't


def connect(url: str, source: str = "127.0.0.1", receive_buffer: int = 0) -> socket.socket:
    parts = urlsplit(url)
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(MAX_WAIT_SECONDS)
    sock.bind((source, 0))
    sock.connect((parts.hostname, parts.port))
    return sock


def receive_all(sock: socket.socket) -> bytes:
    """All that the server sends before it closes the connection."""
    received = b""
    try:
        while part := sock.recv(65_536):
            received += part
    except ConnectionError:
        pass
    return received


def send_until_cut(sock: socket.socket, piece: bytes, limit: int) -> int:
    """Send the same piece until the server closes the connection; return how often it was sent."""
    for times in range(limit):
        try:
            sock.sendall(piece)
        except ConnectionError:
            return times
    return limit


@pytest.fixture
def short(site: Site, serve: Any) -> Any:
    """The site with limits of tenths of a second, but for the whole request."""
    limits = replace(SHORT, request_seconds=10 * MAX_WAIT_SECONDS)
    return serve(make_app(site, body_timeout=SHORT.body_seconds), site.config, limits)


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
        b"\r\n",
        HEALTH,
        HEALTH + b"\r\n",
        HEALTH + b"GET /healthz HTTP/1.1\r\nHost",
        b"POST /u/x HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n",
        b"POST /u/x HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nList-Unsub",
        b"POST /u/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n",
        b"POST /u/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    ],
    ids=[
        "nothing", "half a line", "half a head", "an empty line", "silent after an answer",
        "an empty line after an answer", "half a head after an answer", "no body", "half a body",
        "half a chunked body", "a body that was asked for",
    ],
)  # fmt: skip
def test_silent_client_is_cut(short: Any, start: bytes) -> None:
    with connect(short.url) as sock:
        sock.sendall(start)
        receive_all(sock)  # ends, since the server closes it
    assert short.get("/healthz").status == 200


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", b"a"),
        (HEALTH, b"\r\n"),
        (HEALTH + b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", b"a"),
        (b"POST /u/x HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n", b"a"),
    ],
    ids=["a head", "empty lines after an answer", "a second head", "a body"],
)
def test_client_that_sends_a_byte_at_a_time_is_cut(short: Any, start: bytes, piece: bytes) -> None:
    with connect(short.url) as sock:
        sock.sendall(start)
        deadline = time.monotonic() + MAX_WAIT_SECONDS
        sock.settimeout(0.02)
        while time.monotonic() < deadline:
            try:
                sock.sendall(piece)
                if not sock.recv(65_536):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        assert time.monotonic() < deadline
    assert short.get("/healthz").status == 200


@pytest.mark.parametrize(
    "start", [b"GET /", b"GET / HTTP/1.1\r\nX: ", b"GET / HTTP/1.1\r\nHost: a\r\n"]
)
def test_endless_head_is_cut_off(server: Any, start: bytes) -> None:
    with connect(server.url) as sock:
        sock.sendall(start)
        piece = b"x: a\r\n" * 1_000 if start.endswith(b"\n") else b"a" * 6_000
        assert send_until_cut(sock, piece, 5_000) < 5_000
    assert server.get("/healthz").status == 200


@pytest.mark.parametrize(
    "end",
    [b"0\r\nx: ", b"1;x="],
    ids=["trailer", "chunk extension"],
)
def test_endless_end_of_a_chunked_body_is_cut_off(server: Any, end: bytes) -> None:
    with connect(server.url) as sock:
        sock.sendall(b"POST /u/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + end)
        assert send_until_cut(sock, b"a" * 60_000, 1_000) < 1_000
    assert server.get("/healthz").status == 200


@pytest.mark.parametrize(
    ("size", "status"), [(MAX_HEAD_BYTES - 200, b"200"), (MAX_HEAD_BYTES, b"400"), (60_000, b"400")]
)
def test_size_of_a_head_that_comes_at_once_is_limited(
    server: Any, size: int, status: bytes
) -> None:
    with connect(server.url) as sock:
        head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: "
        sock.sendall(head + b"a" * size + b"\r\n\r\n")
        assert receive_all(sock).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabc",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n X: folded\r\n\x00: b\r\n\r\n",
    ],
    ids=["no host", "two hosts", "HTTP/0.9", "two lengths", "a control character"],
)
def test_request_that_means_two_things_is_refused(server: Any, request_bytes: bytes) -> None:
    with connect(server.url) as sock:
        sock.sendall(request_bytes)
        answer = receive_all(sock)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b'"ok"' not in answer


def test_http_2_is_not_spoken(server: Any) -> None:
    with connect(server.url) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert receive_all(sock).startswith(b"HTTP/1.1 505")


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


def test_pipelined_requests_are_answered_in_order_and_read_one_by_one(server: Any) -> None:
    with connect(server.url) as sock:
        sock.sendall(HEALTH * 500)
        sock.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = receive_all(sock)
    assert len(re.findall(rb"HTTP/1\.1 200", answers)) == 501


@pytest.fixture
def serve_large(serve: Any, site: Site, tmp_path: Path) -> Callable[..., Any]:
    """Serve 20 MB from a file or from memory, within limits."""
    path = tmp_path / "large.png"
    path.write_bytes(LARGE)
    app = Starlette(
        routes=[
            Route("/file", lambda _: FileResponse(path)),
            Route("/memory", lambda _: Response(LARGE)),
            Route("/buffered", lambda _: Response(LARGE[:UNSENT_BYTES])),
            Route("/healthz", lambda _: Response("ok")),
        ],
        middleware=[Middleware(PiecewiseSendMiddleware)],
    )
    return partial(serve, app, site.config)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has the limit")
@pytest.mark.parametrize("path", ["/file", "/memory"])
def test_client_that_reads_nothing_is_cut(serve_large: Any, path: str) -> None:
    server = serve_large(replace(SHORT, request_seconds=10 * MAX_WAIT_SECONDS))
    with ExitStack() as stack:
        for _ in range(10):
            sock = stack.enter_context(connect(server.url, receive_buffer=4_096))
            sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            assert sock.recv(10)
        server.wait_for_connections(0)
    assert server.get("/healthz").status == 200


@pytest.mark.parametrize("path", ["/file", "/memory", "/buffered"])
def test_client_that_reads_too_slowly_is_cut(serve_large: Any, path: str) -> None:
    """Even if the whole response has been handed to the connection at once."""
    limits = replace(SHORT, stalled_seconds=10 * MAX_WAIT_SECONDS)
    server = serve_large(limits, send_buffer=4_096)
    with connect(server.url, receive_buffer=4_096) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert sock.recv(10)
        server.wait_for_connections(0)


def test_reader_on_a_slow_line_gets_the_end_of_a_response(serve_large: Any, short: Any) -> None:
    """What is handed to the connection is still sent when the time of the next head is over."""
    limits = replace(
        SHORT, request_seconds=10 * MAX_WAIT_SECONDS, stalled_seconds=10 * MAX_WAIT_SECONDS
    )
    server = serve_large(limits, send_buffer=4_096)
    with connect(server.url, receive_buffer=4_096) as sock:
        sock.sendall(b"GET /memory HTTP/1.1\r\nHost: a\r\n\r\n")
        received = 0
        while received < len(LARGE) - PIECE_BYTES:
            received += len(sock.recv(1_000_000))
        for _ in range(3):  # the time in which the server cuts a client that says nothing
            with connect(short.url) as silent:
                receive_all(silent)
        received += len(receive_all(sock))
    assert received > len(LARGE)


def test_request_behind_another_may_take_longer_than_a_head(
    site: Site, serve: Any, short: Any
) -> None:
    is_over = threading.Event()

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await asyncio.to_thread(is_over.wait, MAX_WAIT_SECONDS)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    limits = replace(DEFAULT_LIMITS, head_seconds=SHORT.head_seconds)
    with connect(serve(app, site.config, limits).url) as sock:
        sock.sendall(HEALTH + HEALTH.replace(b"/healthz", b"/slow"))
        for _ in range(3):  # the time in which the server cuts a client that says nothing
            with connect(short.url) as silent:
                receive_all(silent)
        is_over.set()
        assert receive_all(sock).count(b"HTTP/1.1 200") == 2


def test_one_address_cannot_take_all_connections(site: Site, serve: Any) -> None:
    limits = replace(DEFAULT_LIMITS, head_seconds=60, connections=20, connections_per_address=5)
    server = serve(make_app(site), site.config, limits)
    with ExitStack() as stack:

        def is_served(source: str) -> bool:
            sock = stack.enter_context(connect(server.url, source))
            with suppress(ConnectionError):
                sock.sendall(HEALTH)
                return sock.recv(100).startswith(b"HTTP/1.1 200")
            return False

        assert [is_served(ATTACKER) for _ in range(20)] == [True] * 5 + [False] * 15
        server.wait_for_connections(5)
        # Readers behind a proxy get the other 15, then those of the attacker but for the last.
        assert [is_served("127.0.0.1") for _ in range(20)] == [True] * 19 + [False]


def test_several_addresses_with_silent_connections_shut_nobody_out(site: Site, serve: Any) -> None:
    limits = replace(DEFAULT_LIMITS, head_seconds=60, connections=20, connections_per_address=10)
    server = serve(make_app(site), site.config, limits)
    with ExitStack() as stack:
        for number in range(40):
            silent = stack.enter_context(connect(server.url, f"127.0.0.{number % 4 + 2}"))
            silent.sendall(b"GET / HT")
        for _ in range(30):
            with connect(server.url, "127.0.0.9") as reader:
                reader.sendall(HEALTH)
                assert reader.recv(100).startswith(b"HTTP/1.1 200")


def test_bodies_of_one_client_cannot_fill_memory(site: Site, serve: Any) -> None:
    server = serve(make_app(site), site.config)
    body = b"x" * 1_900_000
    head = f"POST /webhooks/sendgrid HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body) + 1}\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(7):
            sock = stack.enter_context(connect(server.url, ATTACKER))
            with suppress(ConnectionError):
                sock.sendall(head.encode() + body)
        server.wait_for_connections(MAX_BUFFERED_BYTES_PER_CLIENT // len(body))
        # From another address, and refused for what is in it.
        assert server.post("/webhooks/sendgrid", body).status not in {413, 503}


def make_body_app(endpoint: Callable[[Any], Response], **limits: Any) -> Starlette:
    """Make an application with an endpoint for bodies, and limits on them."""
    return Starlette(
        routes=[Route("/webhooks/sendgrid", endpoint, methods=["GET", "POST"])],
        middleware=[
            Middleware(PiecewiseSendMiddleware),
            Middleware(
                RequestLimitsMiddleware,
                handle_refusal=lambda _, refused: Response(status_code=refused.status),
                **limits,
            ),
        ],
    )


def test_all_bodies_together_are_limited(site: Site, serve: Any) -> None:
    server = serve(make_body_app(lambda _: Response("ok"), buffered_bytes=100_000), site.config)
    assert server.post("/webhooks/sendgrid", b"x" * 100_000).status == 200
    assert server.post("/webhooks/sendgrid", b"x" * 100_001).status == 503
    assert server.post("/webhooks/sendgrid", b"x" * 100_000).status == 200  # it counts no more


def test_body_counts_no_more_while_the_response_is_sent(site: Site, serve: Any) -> None:
    app = make_body_app(lambda _: Response(LARGE), buffered_bytes_per_client=100_000)
    server = serve(app, site.config)
    body = b"x" * 100_000
    head = f"POST /webhooks/sendgrid HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    with connect(server.url, receive_buffer=4_096) as sock:
        sock.sendall(head.encode() + body)
        assert sock.recv(10)
        assert server.post("/webhooks/sendgrid", body).status == 200


def test_nothing_counts_any_more_after_clients_left(site: Site, serve: Any) -> None:
    """Clients leave at any point of a request or its response, with FIN or with RST."""
    app = make_body_app(lambda _: Response(LARGE[:200_000]), buffered_bytes_per_client=100_000)
    server = serve(app, site.config, replace(DEFAULT_LIMITS, connections_per_address=5))
    head = b"POST /webhooks/sendgrid HTTP/1.1\r\nHost: a\r\n"
    requests = (
        head + b"Content-Length: 20000\r\n\r\n" + b"x" * 20_000,
        head + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nabcde",
        head + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n",
        head.replace(b"POST", b"GET") + b"\r\n",
    )
    choose = random.Random(13)
    for _ in range(100):
        with connect(server.url, ATTACKER) as sock, suppress(ConnectionError):
            request = choose.choice(requests) * choose.randint(1, 3)
            sock.sendall(request[: choose.randint(0, len(request))])
            if choose.random() < 0.3:
                sock.shutdown(socket.SHUT_WR)
            if choose.random() < 0.3:
                sock.settimeout(0.01)
                with suppress(TimeoutError):
                    sock.recv(choose.choice([1, 100_000]))
            if choose.random() < 0.5:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with connect(server.url, ATTACKER) as sock:  # is accepted after all of them
        sock.sendall(HEALTH)
        sock.recv(1)
    server.wait_for_connections(0)
    for size, status in ((100_000, b"200"), (100_001, b"503"), (100_000, b"200")):
        with connect(server.url, ATTACKER) as sock:
            sock.sendall(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size)
            sock.sendall(b"x" * size)
            assert receive_all(sock).startswith(b"HTTP/1.1 " + status)
        server.wait_for_connections(0)
    with ExitStack() as stack:
        for _ in range(5):
            sock = stack.enter_context(connect(server.url, ATTACKER))
            sock.sendall(head.replace(b"POST", b"GET") + b"\r\n")
            assert sock.recv(8) == b"HTTP/1.1"
        assert receive_all(stack.enter_context(connect(server.url, ATTACKER))) == b""


@pytest.mark.parametrize("count", [1, 300])
def test_client_that_sends_no_more_is_answered(site: Site, serve: Any, count: int) -> None:
    """Who has closed only its own direction of the connection can still read."""
    limits = replace(DEFAULT_LIMITS, head_seconds=10 * MAX_WAIT_SECONDS)  # it doesn't wait for it
    server = serve(make_app(site), site.config, limits)
    with connect(server.url) as sock:
        sock.sendall(HEALTH.replace(b"/healthz", b"/") * count)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock).count(b"HTTP/1.1 200") == count
    server.wait_for_connections(0)


@pytest.mark.parametrize(
    "sent",
    [b"", HEALTH[:-2], b"POST /u/x HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nList"],
    ids=["nothing", "half a head", "half a body"],
)
def test_client_that_ends_within_a_request_is_cut(server: Any, sent: bytes) -> None:
    with connect(server.url) as sock:
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
    server.wait_for_connections(0, DEFAULT_LIMITS.head_seconds / 2)


@pytest.mark.parametrize("unread", [0, 4, 5, 6])
def test_malformed_body_is_refused_once(
    site: Site, serve: Any, caplog: pytest.LogCaptureFixture, unread: int
) -> None:
    """Even if the refusal waits behind responses that the client doesn't read."""
    limits = replace(SHORT, request_seconds=2 * SHORT.body_seconds)
    app = make_body_app(lambda _: Response(LARGE[:20_000]), timeout=SHORT.body_seconds)
    server = serve(app, site.config, limits, send_buffer=4_096)
    head = b"GET /webhooks/sendgrid HTTP/1.1\r\nHost: a\r\n"
    chunked = head.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
    with connect(server.url, receive_buffer=4_096) as sock:
        sock.sendall((head + b"\r\n") * unread + chunked)
        server.wait_for_connections(0)
        assert receive_all(sock).count(b"HTTP/1.1 4") <= 1
    assert [record for record in caplog.records if record.exc_info] == []


def test_application_is_told_at_once_that_a_body_is_malformed(
    site: Site, serve: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Even if the refusal waits behind a response that the client doesn't read."""
    seen: queue.Queue[str] = queue.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "POST":
            seen.put("began")
            seen.put((await receive())["type"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": LARGE[:UNSENT_BYTES]})

    limits = replace(DEFAULT_LIMITS, head_seconds=10 * MAX_WAIT_SECONDS)
    server = serve(app, site.config, limits, send_buffer=4_096)
    with connect(server.url, receive_buffer=4_096) as sock:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        sock.sendall(HEALTH + head)
        assert seen.get(timeout=MAX_WAIT_SECONDS) == "began"
        sock.sendall(b"zz\r\n")
        assert seen.get(timeout=MAX_WAIT_SECONDS) == "http.disconnect"
        assert re.findall(rb"HTTP/1\.1 (\d+)", receive_all(sock)) == [b"200", b"400"]
    assert [record for record in caplog.records if record.exc_info] == []


def test_connections_inherit_the_options_of_the_listener(server: Any) -> None:
    with connect(server.url) as sock:
        sock.sendall(HEALTH)
        assert sock.recv(100)
        (accepted,) = server.list_sockets()
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if option := getattr(socket, "TCP_USER_TIMEOUT", None):
            timeout = accepted.getsockopt(socket.IPPROTO_TCP, option)
            assert timeout == DEFAULT_LIMITS.stalled_seconds * 1_000


@pytest.mark.parametrize(
    ("source", "lines", "seen"),
    [
        ("127.0.0.1", [b"203.0.113.5"], "203.0.113.5"),
        ("127.0.0.1", [b"192.0.2.1, 203.0.113.5"], "203.0.113.5"),
        ("127.0.0.1", [b"192.0.2.1, 203.0.113.5, 127.0.0.1"], "203.0.113.5"),
        ("127.0.0.1", [b"192.0.2.1", b"203.0.113.5"], "203.0.113.5"),
        ("127.0.0.1", [b"2001:db8::1"], "2001:db8::1"),
        ("127.0.0.1", [b"<script>, ::::, 203.0.113.5"], "203.0.113.5"),
        ("127.0.0.1", [], "127.0.0.1"),
        (ATTACKER, [b"203.0.113.5"], ATTACKER),
        (ATTACKER, [b"127.0.0.1"], ATTACKER),
    ],
)
def test_only_a_trusted_proxy_says_who_the_client_is(
    site: Site, serve: Any, source: str, lines: list[bytes], seen: str
) -> None:
    app = Starlette(routes=[Route("/", lambda request: Response(request.client.host))])
    with connect(serve(app, site.config).url, source) as sock:
        head = b"".join(b"X-Forwarded-For: %s\r\n" % line for line in lines)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + head + b"\r\n")
        assert receive_all(sock).rpartition(b"\r\n")[2] == seen.encode()
