"""HTTP on the wire: whoever says too much, or too slowly, before the point is hung up on.

The parser keeps all that it reads of a head, and of a chunked body's trailer. Nobody else counts.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 16_000
# With room for what chunks add to the largest body that any route takes.
MAX_REQUEST_BYTES = 8_000_000
HEAD_TIMEOUT_SECONDS = 10.0


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection.

    Attributes:
        head_timeout: seconds in which a request's head must come.
    """

    head_timeout = HEAD_TIMEOUT_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bytes_read = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request's head its time."""
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._cancel_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and count."""
        self._bytes_read += len(data)
        super().data_received(data)
        most = MAX_HEAD_BYTES if self._in_head else MAX_REQUEST_BYTES
        if self._bytes_read > most and not self.transport.is_closing():
            self._close_connection()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        if self._head_timer is None:
            self._start_head_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._in_head = False
        self._cancel_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here; the next is counted anew."""
        self._bytes_read = 0
        super().on_message_complete()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_timeout, self._close_connection)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close_connection(self) -> None:
        if self._in_head:
            self.send_400_response("The head of the request is too long, or comes too slowly.")
        else:
            self.transport.abort()
