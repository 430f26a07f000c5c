"""Loopback-only access by a secret URL, and the security headers."""

import secrets
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREVIEW_HOST = "127.0.0.1"

# The page may run the preview's own modules and nothing else.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# An email may run nothing at all. Its images may come from anywhere, as in a mail client.
EMAIL_POLICY = (
    "default-src 'none'; img-src 'self' data: http: https:; style-src 'unsafe-inline'; "
    "font-src data: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-same-origin"
)
# An error may be loaded into the frame, too: the page reads its message from there.
ERROR_POLICY = "default-src 'none'; frame-ancestors 'self'"
FILE_POLICY = "default-src 'none'; sandbox"

SECURITY_HEADERS = {
    "content-security-policy": PAGE_POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def generate_preview_token() -> str:
    """Return a random 128-bit secret for one run of the server."""
    return secrets.token_urlsafe(16)


class LocalAccessMiddleware:
    """ASGI middleware that checks host, token and origin, and sets the security headers.

    The host is checked so that a foreign name that resolves to this machine is refused (DNS
    rebinding); the origin so that no other page can post (CSRF).
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._prefix = f"/{token}"
        self._url = f"http://{PREVIEW_HOST}:{port}/{token}/"
        self._hosts = {f"{PREVIEW_HOST}:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._check_request(Request(scope))
        if refusal:
            scope = {**scope, "path": "/"}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] += [
                    (name.encode(), value.encode())
                    for name, value in SECURITY_HEADERS.items()
                    if name.encode() not in present
                ]
            await send(message)

        if refusal:
            await refusal(scope, receive, send_with_headers)
            return
        inner = {**scope, "path": scope["path"].removeprefix(self._prefix), "raw_path": b""}
        inner["preview_url"] = self._url  # for the server's own requests
        await self._app(inner, receive, send_with_headers)

    def _check_request(self, request: Request) -> PlainTextResponse | None:
        host = request.headers.get("host", "").lower()
        if host not in self._hosts:
            return PlainTextResponse("The preview does not serve this host name.\n", 421)
        first, _, _ = request.scope["path"].removeprefix("/").partition("/")
        known = secrets.compare_digest(first.encode(), self._prefix[1:].encode())
        if not known or not request.scope["path"].startswith(f"{self._prefix}/"):
            return PlainTextResponse("Open the URL that newsletter preview has printed.\n", 404)
        if request.method not in {"GET", "HEAD"}:
            origin = urlsplit(request.headers.get("origin", ""))
            if origin.scheme != "http" or origin.netloc.lower() != host:
                return PlainTextResponse("Requests from other pages are refused.\n", 403)
        return None
