"""The server's log: one JSON object a line, with no address, token or query in it."""

import datetime
import json
import logging
import sys
import traceback
from types import TracebackType

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


def log_answer(method: str, route: str, status: int, seconds: float) -> None:
    """Write down a request that was answered."""
    ms = round(seconds * 1000, 1)
    fields = {"method": method, "route": route, "status": status, "ms": ms}
    _access.info("answered", extra={"fields": fields})
