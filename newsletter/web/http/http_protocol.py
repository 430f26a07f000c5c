"""HTTP on the wire: whoever says too much, or too slowly, before the point is hung up on.

The parser keeps all that it reads of a head, and of a chunked body's trailer. Nobody else counts.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES = 16_000
# With room for what chunks add to the largest body that any route takes.
REQUEST_BYTES = 8_000_000
HEAD_SECONDS = 10.0


class Wire(HttpToolsProtocol):
    """One connection.

    Attributes:
        patience: seconds in which a request's head must come.
    """

    patience = HEAD_SECONDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read = 0
        self._in_head = True
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the first request's head its time."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and count."""
        self._read += len(data)
        super().data_received(data)
        most = HEAD_BYTES if self._in_head else REQUEST_BYTES
        if self._read > most and not self.transport.is_closing():
            self._hang_up()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        if self._late is None:
            self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is here; the next is counted anew."""
        self._read = 0
        super().on_message_complete()

    def _await_head(self) -> None:
        self._late = self.loop.call_later(self.patience, self._hang_up)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _hang_up(self) -> None:
        if self._in_head:
            self.send_400_response("The head of the request is too long, or comes too slowly.")
        else:
            self.transport.abort()
