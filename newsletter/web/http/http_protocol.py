"""Uvicorn protocol with limits on time and on the number of connections.

It is built on uvicorn's h11 protocol, which stops reading until a request is answered, and refuses
heads that are too long or ambiguous. What it overrides isn't documented by uvicorn: see the bound
of its version in pyproject.toml.
"""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from newsletter.web.http.connection_limits import ConnectionCounter, ConnectionLimits
from newsletter.web.http.request_parser import BoundedParser


class LimitedHttpProtocol(H11Protocol):
    """One connection, which is cut when its time is over.

    One timer is always running, and no byte that a client sends moves it: first for a request's
    head, then for the whole request, and after the response for the next head.

    Args:
        limits: how long it may take.
        counter: the server's open connections; one too many is cut at once.
    """

    def __init__(
        self, *args: Any, limits: ConnectionLimits, counter: ConnectionCounter, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.conn = BoundedParser()
        self._limits = limits
        self._counter = counter
        self._address = ""
        self._timer: asyncio.TimerHandle | None = None
        self._request_deadline = 0.0
        self._is_half_closed = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count the connection, and start the timer of the first request's head."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._start_timer(self._limits.head_seconds)
        if not self._counter.add(self._address, transport):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._counter.remove(self._address, self.transport)
        if self._timer:
            self._timer.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio allows it
        """Keep the connection open for the response, if the request was sent in full."""
        self._is_half_closed = self._is_answering() and self.conn.their_state is not h11.SEND_BODY
        return self._is_half_closed

    def handle_events(self) -> None:
        """Handle what was received; start the request's timer once its whole head is there."""
        cycle_before = self.cycle
        super().handle_events()
        if self.cycle is not cycle_before and self._is_answering():
            self._counter.stop_waiting(self._address, self.transport)
            self._request_deadline = self.loop.time() + self._limits.request_seconds
            self._start_timer(self._limits.request_seconds)

    def on_response_complete(self) -> None:
        """Start the timer of the next request's head."""
        self._start_timer(self._limits.head_seconds)
        self._counter.start_waiting(self._address, self.transport)
        super().on_response_complete()
        if self._is_half_closed:
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse a malformed request, and don't let the application answer it, too."""
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:  # another response has begun
            self.transport.abort()

    def _is_answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _start_timer(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self._cut)

    def _cut(self) -> None:
        """Cut the connection, unless an honest client on a slow line is still reading."""
        is_reading = not self._is_answering() and self.transport.get_write_buffer_size() > 0
        if is_reading and self.loop.time() < self._request_deadline:
            self._start_timer(self._limits.head_seconds)
        else:
            self.transport.abort()
