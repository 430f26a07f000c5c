"""Security headers of every response: CSP, HSTS, referrer and others."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.config import Config

HSTS_VALUE = "max-age=31536000; includeSubDomains"


class SecurityHeadersMiddleware:
    """ASGI middleware that sets the security headers that a response hasn't set itself.

    Args:
        app: the next application.
        config: the newsletter's settings.
    """

    def __init__(self, app: ASGIApp, config: Config) -> None:
        self._app = app
        self._headers = [
            (name.lower().encode(), value.encode())
            for name, value in make_security_headers(config).items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add the missing headers to its response."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name for name, _ in message["headers"]}
                missing = [header for header in self._headers if header[0] not in present]
                message = {**message, "headers": [*message["headers"], *missing]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def make_security_headers(config: Config) -> dict[str, str]:
    """Return the headers that every response carries."""
    frame_ancestors = " ".join(config.public.frame_ancestors) or "'none'"
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self' https: data:; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {frame_ancestors}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return headers | ({"Strict-Transport-Security": HSTS_VALUE} if config.public.hsts else {})
