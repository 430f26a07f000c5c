"""Send a file that may change, or can't be read, while it is being sent."""

import logging
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from newsletter.web.http.request_data import RequestRefusedError

_log = logging.getLogger(__name__)


class _FileChangedError(Exception):
    """The file has fewer or more bytes than were promised."""


class StableFileResponse(FileResponse):
    """A file's content, as long as the file stays the same.

    If it can't be opened, the answer is 404. If its size changes while it is being sent, as when an
    editor saves an image in its place, the connection is closed: a client must not take half of a
    file for the whole.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or close the connection."""
        head: Message | None = None
        has_started = False
        remaining = 0

        async def send_promised(message: Message) -> None:
            nonlocal head, has_started, remaining
            if message["type"] == "http.response.start":
                head = message  # until the file is open
                if scope["method"] != "HEAD":
                    remaining = int(Headers(raw=message["headers"]).get("content-length", "0"))
                return
            remaining -= len(message.get("body", b""))
            if remaining < 0 or (remaining and not message.get("more_body", False)):
                raise _FileChangedError
            if head:
                has_started = True
                await send(head)
                head = None
            await send(message)

        try:
            await super().__call__(scope, receive, send_promised)
        except (OSError, _FileChangedError, RuntimeError) as error:  # the last is Starlette's
            reason = error.strerror if isinstance(error, OSError) else "its size has changed"
            path = Path(self.path)
            _log.warning("%s could not be sent: %s", f"{path.parent.name}/{path.name}", reason)
            if not has_started:
                raise RequestRefusedError(404) from None
