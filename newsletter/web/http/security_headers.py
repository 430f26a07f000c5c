"""Headers that keep browsers from doing what the pages never ask for."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.config import Config

HSTS_VALUE = "max-age=31536000; includeSubDomains"


class SecurityHeadersMiddleware:
    """Middleware: sets the headers that a response hasn't set itself.

    Args:
        app: what comes next.
        config: the newsletter's settings.
    """

    def __init__(self, app: ASGIApp, config: Config) -> None:
        self._app = app
        self._headers = [
            (name.lower().encode(), value.encode())
            for name, value in make_security_headers(config).items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the response pass, with the headers that it lacks."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                lacking = [header for header in self._headers if header[0] not in there]
                message = {**message, "headers": [*message["headers"], *lacking]}
            await send(message)

        await self._app(scope, receive, guarded)


def make_security_headers(config: Config) -> dict[str, str]:
    """What every response carries."""
    frames = " ".join(config.public.frame_ancestors) or "'none'"
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "img-src 'self' https: data:; form-action 'self'; base-uri 'none'; "
        f"frame-ancestors {frames}"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return headers | ({"Strict-Transport-Security": HSTS_VALUE} if config.public.hsts else {})
