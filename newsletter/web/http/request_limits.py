"""Limit the head and the body of requests: size, time, memory in all."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.web.http.request_data import BODY_SCOPE_KEY, RequestRefusedError

RefusalHandler = Callable[[Request, RequestRefusedError], Response]

MAX_HEAD_BYTES = 16_384
# SendGrid's webhook sends 768 KB; a form takes a few hundred bytes.
MAX_BODY_BYTES = 64_000
MAX_BODY_BYTES_BY_PATH = {"/webhooks/sendgrid": 2_000_000}
# Bodies of all requests that are in memory at once, and those of one address.
MAX_BUFFERED_BYTES = 32_000_000
MAX_BUFFERED_BYTES_PER_CLIENT = 8_000_000
BODY_TIMEOUT_SECONDS = 10.0
MAX_LENGTH_DIGITS = 18
_HTTP_VERSIONS = frozenset({"1.0", "1.1"})  # the parser takes any digits


class RequestLimitsMiddleware:
    """ASGI middleware that checks the head and reads the body, within its limits, into the scope.

    Args:
        app: the next application.
        handle_refusal: makes the response to a refused request.
        timeout: seconds within which the whole body must arrive.
        buffered_bytes: how much of all bodies may be in memory at once.
        buffered_bytes_per_client: how much of the bodies from one address.
    """

    def __init__(
        self,
        app: ASGIApp,
        handle_refusal: RefusalHandler,
        timeout: float = BODY_TIMEOUT_SECONDS,
        buffered_bytes: int = MAX_BUFFERED_BYTES,
        buffered_bytes_per_client: int = MAX_BUFFERED_BYTES_PER_CLIENT,
    ) -> None:
        self._app = app
        self._handle_refusal = handle_refusal
        self._timeout = timeout
        self._buffered_bytes = buffered_bytes
        self._buffered_bytes_per_client = buffered_bytes_per_client
        self._buffered_in_all = 0
        self._buffered_by_client: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then pass the request on; or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._count_bytes(scope) as count:
            try:
                scope[BODY_SCOPE_KEY] = await self._read_body(scope, receive, count)
            except RequestRefusedError as error:
                response = self._handle_refusal(Request(scope), error)
                # The unread rest of the body would be parsed as the next request.
                response.headers["Connection"] = "close"
                await response(scope, receive, send)
                return
            await self._app(scope, receive, send)

    async def _read_body(
        self, scope: Scope, receive: Receive, count: Callable[[int], None]
    ) -> bytes:
        if scope["http_version"] not in _HTTP_VERSIONS:
            raise RequestRefusedError(505, "status_400")
        if _get_head_size(scope) > MAX_HEAD_BYTES:
            raise RequestRefusedError(431, "status_413")
        headers = dict(scope["headers"])
        framing = headers.keys() & {b"content-length", b"transfer-encoding"}
        if not framing:
            return b""  # there is no body (RFC 9112, 6.3)
        if len(framing) > 1:  # a proxy may see another request in it (RFC 9112, 11.2)
            raise RequestRefusedError(400)
        limit = MAX_BODY_BYTES_BY_PATH.get(scope["path"], MAX_BODY_BYTES)
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > MAX_LENGTH_DIGITS or int(declared) > limit:
            raise RequestRefusedError(413)
        try:
            async with asyncio.timeout(self._timeout):
                return await _receive_body(receive, limit, count)
        except TimeoutError:
            raise RequestRefusedError(408) from None

    @contextmanager
    def _count_bytes(self, scope: Scope) -> Iterator[Callable[[int], None]]:
        """Yield a function that counts what was received, until the request is answered."""
        client = scope["client"][0] if scope.get("client") else ""
        size = 0

        def count(received: int) -> None:
            nonlocal size
            size += received
            self._buffered_in_all += received
            self._buffered_by_client[client] += received
            if (
                self._buffered_by_client[client] > self._buffered_bytes_per_client
                or self._buffered_in_all > self._buffered_bytes
            ):
                raise RequestRefusedError(503)  # SendGrid tries again later

        try:
            yield count
        finally:
            self._buffered_in_all -= size
            self._buffered_by_client[client] -= size
            if not self._buffered_by_client[client]:
                del self._buffered_by_client[client]


def _get_head_size(scope: Scope) -> int:
    """Return about how many bytes the request line and the headers had."""
    headers = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
    return headers + len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")


async def _receive_body(receive: Receive, limit: int, count: Callable[[int], None]) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            # The client disconnected early: a truncated form must not be processed as a whole one.
            raise RequestRefusedError(400)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        count(len(parts[-1]))
        if size > limit:
            raise RequestRefusedError(413)
        more = message.get("more_body", False)
    return b"".join(parts)
