"""Sees what becomes of every request, and tells whoever wants to know."""

import time
from collections.abc import Callable, Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNROUTED = "none"

# Method, route, status and seconds of a request that was answered.
Tell = Callable[[str, str, int, float], None]


class Watch:
    """Middleware: tells of every request when it is answered.

    Args:
        app: what comes next.
        tell: who is told, in this order.
    """

    def __init__(self, app: ASGIApp, tell: Sequence[Tell]) -> None:
        self._app = app
        self._tell = tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, and see what becomes of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, told = time.perf_counter(), 500, False

        def over() -> None:
            nonlocal told
            if not told:
                told = True
                seconds = time.perf_counter() - started
                for tell in self._tell:
                    tell(scope["method"], route_of(scope), status, seconds)

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body", False):
                over()  # before the last of it leaves: whoever has the answer can read of it
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            over()


def route_of(scope: Scope) -> str:
    """The pattern that a request's path met: no token is in it."""
    return getattr(scope.get("route"), "path", UNROUTED)
