"""Reads a request's body before its endpoint runs: so much, in so much time, and no more."""

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.web.http.request_data import BODY, Refused

Tell = Callable[[Request, Refused], Response]

# SendGrid's webhook sends 768 KB; a form takes a few hundred bytes.
LARGEST = 64_000
LARGEST_BY_PATH = {"/webhooks/sendgrid": 2_000_000}
SECONDS = 10.0
MOST_DIGITS = 18


class Bodies:
    """Middleware: endpoints find the body in the scope and needn't wait for it.

    Args:
        app: what comes next.
        tell: makes the answer to what is refused.
        seconds: in which a whole body must come.
    """

    def __init__(self, app: ASGIApp, tell: Tell, seconds: float = SECONDS) -> None:
        self._app = app
        self._tell = tell
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, or refuse; then what comes next."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            scope[BODY] = await self._read(scope, receive)
        except Refused as error:
            response = self._tell(Request(scope), error)
            # What is left of the body would be taken for the next request.
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        headers = dict(scope["headers"])
        if not headers.keys() & {b"content-length", b"transfer-encoding"}:
            return b""  # it has none (RFC 9112, 6.3)
        most = LARGEST_BY_PATH.get(scope["path"], LARGEST)
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > MOST_DIGITS or int(declared) > most:
            raise Refused(413)
        try:
            async with asyncio.timeout(self._seconds):
                return await _body(receive, most)
        except TimeoutError:
            raise Refused(408) from None


async def _body(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            # The client is gone in mid-sentence: half a form must not be taken for a whole one.
            raise Refused(400)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise Refused(413)
        more = message.get("more_body", False)
    return b"".join(parts)
