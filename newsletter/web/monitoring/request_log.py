"""Log requests and errors as JSON lines on standard error.

No address, token or query is in the log.
"""

import datetime
import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from http import HTTPMethod
from types import TracebackType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNROUTED_LABEL = "none"
_METHODS = frozenset(HTTPMethod)
OTHER_METHOD = "OTHER"
_access_log = logging.getLogger("newsletter.access")

# Called with the method, route, status and duration in seconds of each request.
RequestListener = Callable[[str, str, int, float], None]


class RequestLogMiddleware:
    """ASGI middleware that reports method, route, status and duration of every request.

    Args:
        app: the next application.
        listeners: called for every request, in this order.
    """

    def __init__(self, app: ASGIApp, listeners: Sequence[RequestListener]) -> None:
        self._app = app
        self._listeners = listeners

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and report it once its response is complete."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, reported = time.perf_counter(), 500, False

        def report() -> None:
            nonlocal reported
            if not reported:
                reported = True
                seconds = time.perf_counter() - start
                # Any word can be sent as a method, and each would be a metric of its own for ever.
                method = scope["method"] if scope["method"] in _METHODS else OTHER_METHOD
                for listener in self._listeners:
                    listener(method, get_route_pattern(scope), status, seconds)

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif not message.get("more_body", False):
                report()  # before the last chunk: a client that has the response finds it logged
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            report()


def get_route_pattern(scope: Scope) -> str:
    """Return the pattern of the route that matched, which has no token in it."""
    return getattr(scope.get("route"), "path", UNROUTED_LABEL)


class JsonLinesFormatter(logging.Formatter):
    """Formatter that writes each record as one line of JSON.

    Args:
        common: further keys of every line.
    """

    def __init__(self, **common: str) -> None:
        super().__init__()
        self._common = common

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON."""
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        line: dict[str, object] = {
            "at": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._common,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["trace"] = _format_traceback(*record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _format_traceback(
    error_type: type[BaseException] | None, _: BaseException | None, frames: TracebackType | None
) -> list[str]:
    """Return the error's type and its places, but not its message, which may quote a subscriber."""
    summaries = traceback.extract_tb(frames)
    name = error_type.__qualname__ if error_type else ""
    return [name, *(f"{summary.filename}:{summary.lineno} {summary.name}" for summary in summaries)]


def configure_stderr_logging(**common: str) -> None:
    """Write the log of a server or worker to standard error.

    Args:
        common: further keys of every line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLinesFormatter(**common))
    for name in ("newsletter", "uvicorn.error", "procrastinate", "psycopg", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.getLogger("newsletter").setLevel(logging.INFO)
    # Its warnings are about what clients send: any number of lines, written by strangers.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    # Its other messages are about every job.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)


def log_request(method: str, route: str, status: int, seconds: float) -> None:
    """Log a request that was responded to."""
    ms = round(seconds * 1000, 1)
    fields = {"method": method, "route": route, "status": status, "ms": ms}
    _access_log.info("answered", extra={"fields": fields})
