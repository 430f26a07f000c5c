"""The server's log: one JSON object a line, with no address, token or query in it."""

import datetime
import json
import logging
import sys
import time
import traceback
from types import TracebackType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.web.metrics import route_of

_access = logging.getLogger("newsletter.access")


class JsonLines(logging.Formatter):
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
            line["trace"] = _trace(*record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _trace(
    kind: type[BaseException] | None, _: BaseException | None, frames: TracebackType | None
) -> list[str]:
    """What was raised and where; not its words, which may quote a reader."""
    places = traceback.extract_tb(frames)
    name = kind.__qualname__ if kind else ""
    return [name, *(f"{place.filename}:{place.lineno} {place.name}" for place in places)]


def log_to_stderr() -> None:
    """Have the server's log on the standard error output."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("newsletter", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.getLogger("newsletter").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


class AccessLog:
    """Middleware: a line for every request.

    Args:
        app: what comes next.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request pass, and write down what became of it."""
        if scope["type"] != "http" or not _access.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            fields = {
                "method": scope["method"],
                "route": route_of(scope),
                "status": status,
                "ms": round((time.perf_counter() - started) * 1000, 1),
            }
            _access.info("answered", extra={"fields": fields})
