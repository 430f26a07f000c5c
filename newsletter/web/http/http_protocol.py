"""Uvicorn protocol with limits on header size and header time (slowloris).

The parser buffers all of a request's head, and of a chunked body's trailer, and nothing else in
uvicorn limits them.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 16_000
# The largest body that a route accepts, and the overhead of its chunked encoding.
MAX_REQUEST_BYTES = 8_000_000
HEAD_TIMEOUT_SECONDS = 10.0


class LimitedHttpProtocol(HttpToolsProtocol):
    """One connection, closed if a request is too large or its head takes too long.

    Attributes:
        head_timeout: seconds within which a request's head must arrive.
    """

    head_timeout = HEAD_TIMEOUT_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bytes_read = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first request's head."""
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer."""
        self._cancel_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, and close the connection if the request is over its limit."""
        self._bytes_read += len(data)
        super().data_received(data)
        limit = MAX_HEAD_BYTES if self._in_head else MAX_REQUEST_BYTES
        if self._bytes_read > limit and not self.transport.is_closing():
            self._close_connection()

    def on_message_begin(self) -> None:
        """Start the head's timer, unless that of the connection is running."""
        self._in_head = True
        if self._head_timer is None:
            self._start_head_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Cancel the head's timer; from here on the limit is that of the whole request."""
        self._in_head = False
        self._cancel_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Reset the byte count for the next request."""
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
            self.send_400_response("The request head is too large or arrives too slowly.")
        else:
            self.transport.abort()
