"""Limit the size and the time of request bodies."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.web.http.request_data import BODY_SCOPE_KEY, RequestRefusedError

RefusalHandler = Callable[[Request, RequestRefusedError], Response]

# SendGrid's webhook sends 768 KB; a form takes a few hundred bytes.
MAX_BODY_BYTES = 64_000
MAX_BODY_BYTES_BY_PATH = {"/webhooks/sendgrid": 2_000_000}
BODY_TIMEOUT_SECONDS = 10.0
MAX_LENGTH_DIGITS = 18


class BodyLimitMiddleware:
    """ASGI middleware that reads the body, within its limits, into the scope.

    Args:
        app: the next application.
        handle_refusal: makes the response to a refused request.
        timeout: seconds within which the whole body must arrive.
    """

    def __init__(
        self, app: ASGIApp, handle_refusal: RefusalHandler, timeout: float = BODY_TIMEOUT_SECONDS
    ) -> None:
        self._app = app
        self._handle_refusal = handle_refusal
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then pass the request on; or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope[BODY_SCOPE_KEY] = await self._read_body(scope, receive)
        except RequestRefusedError as error:
            response = self._handle_refusal(Request(scope), error)
            # The unread rest of the body would be parsed as the next request.
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _read_body(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        if not headers.keys() & {b"content-length", b"transfer-encoding"}:
            return b""  # there is no body (RFC 9112, 6.3)
        limit = MAX_BODY_BYTES_BY_PATH.get(scope["path"], MAX_BODY_BYTES)
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > MAX_LENGTH_DIGITS or int(declared) > limit:
            raise RequestRefusedError(413)
        try:
            async with asyncio.timeout(self._timeout):
                return await _receive_body(receive, limit)
        except TimeoutError:
            raise RequestRefusedError(408) from None


async def _receive_body(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            # The client disconnected early: a truncated form must not be processed as a whole one.
            raise RequestRefusedError(400)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise RequestRefusedError(413)
        more = message.get("more_body", False)
    return b"".join(parts)
