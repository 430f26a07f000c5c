"""Limit the bodies of requests: size, time, memory in all."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.web.http.connection_limits import DEFAULT_LIMITS, find_client_network
from newsletter.web.http.request_data import BODY_SCOPE_KEY, RequestRefusedError

RefusalHandler = Callable[[Request, RequestRefusedError], Response]

# SendGrid's webhook sends 768 KB; a form takes a few hundred bytes.
MAX_BODY_BYTES = 64_000
MAX_BODY_BYTES_BY_PATH = {"/webhooks/sendgrid": 2_000_000}
# Bodies of all requests that are in memory at once, and those of one address.
MAX_BUFFERED_BYTES = 32_000_000
MAX_BUFFERED_BYTES_PER_CLIENT = 8_000_000
MAX_LENGTH_DIGITS = 18
_HTTP_VERSIONS = frozenset({"1.0", "1.1"})  # the parser takes any digits


class RequestLimitsMiddleware:
    """ASGI middleware that reads each body, within its limits, into the scope.

    Args:
        app: the next application.
        handle_refusal: makes the response to a refused request.
        timeout: seconds within which the whole body must arrive.
        buffered_bytes: how much of all bodies may be in memory at once.
        buffered_bytes_per_client: how much of the bodies from one address or IPv6 network.
    """

    def __init__(
        self,
        app: ASGIApp,
        handle_refusal: RefusalHandler,
        timeout: float = DEFAULT_LIMITS.body_seconds,
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
        with self._count_bytes(scope) as (count, forget):

            async def send_and_forget(message: Message) -> None:
                if message["type"] == "http.response.start":  # a client may read it for minutes
                    scope.pop(BODY_SCOPE_KEY, None)
                    forget()
                await send(message)

            try:
                scope[BODY_SCOPE_KEY] = await self._read_body(scope, receive, count)
            except RequestRefusedError as error:
                response = self._handle_refusal(Request(scope), error)
                # The unread rest of the body would be parsed as the next request.
                response.headers["Connection"] = "close"
                await response(scope, receive, send_and_forget)
                return
            await self._app(scope, receive, send_and_forget)

    async def _read_body(
        self, scope: Scope, receive: Receive, count: Callable[[int], None]
    ) -> bytes:
        if scope["http_version"] not in _HTTP_VERSIONS:
            raise RequestRefusedError(505, "status_400")
        headers = dict(scope["headers"])
        framing = headers.keys() & {b"content-length", b"transfer-encoding"}
        if not framing:
            return b""  # there is no body (RFC 9112, 6.3)
        is_chunked = b"transfer-encoding" in framing
        # A proxy may see another request in it (RFC 9112, 6.1 and 11.2).
        if is_chunked and (len(framing) > 1 or scope["http_version"] == "1.0"):
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
    def _count_bytes(
        self, scope: Scope
    ) -> Iterator[tuple[Callable[[int], None], Callable[[], None]]]:
        """Yield a function that counts what was received, and one that counts it no more."""
        client = find_client_network(scope["client"][0] if scope.get("client") else "")
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

        def forget() -> None:
            nonlocal size
            self._buffered_in_all -= size
            self._buffered_by_client[client] -= size
            size = 0
            if not self._buffered_by_client[client]:
                del self._buffered_by_client[client]

        try:
            yield count, forget
        finally:
            forget()


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
