"""The server's log: one JSON object a line, with no address, token or query in it."""

import datetime
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNROUTED_LABEL = "none"

# Method, route, status and seconds of a request that was answered.
RequestListener = Callable[[str, str, int, float], None]


class RequestLogMiddleware:
    """Middleware: tells of every request when it is answered.

    Args:
        app: what comes next.
        listeners: who is told, in this order.
    """

    def __init__(self, app: ASGIApp, listeners: Sequence[RequestListener]) -> None:
        self._app = app
        self._listeners = listeners

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
                for tell in self._listeners:
                    tell(scope["method"], get_route_pattern(scope), status, seconds)

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


def get_route_pattern(scope: Scope) -> str:
    """The pattern that a request's path met: no token is in it."""
    return getattr(scope.get("route"), "path", UNROUTED_LABEL)


_access_log = logging.getLogger("newsletter.access")


class JsonLinesFormatter(logging.Formatter):
    """Each record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, object] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = _format_traceback(*record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _format_traceback(
    error_type: type[BaseException] | None, _: BaseException | None, frames: TracebackType | None
) -> list[str]:
    """What was raised and where; not its words, which may quote a reader."""
    places = traceback.extract_tb(frames)
    name = error_type.__qualname__ if error_type else ""
    return [name, *(f"{place.filename}:{place.lineno} {place.name}" for place in places)]


def configure_stderr_logging() -> None:
    """Have the server's log on the standard error output."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLinesFormatter())
    for name in ("newsletter", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.getLogger("newsletter").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


def log_request(method: str, route: str, status: int, seconds: float) -> None:
    """Write down a request that was answered."""
    ms = round(seconds * 1000, 1)
    fields = {"method": method, "route": route, "status": status, "ms": ms}
    _access_log.info("answered", extra={"fields": fields})
