"""Parse requests with h11, within limits on the work that they cause.

h11 takes 5 µs for each header and 15 µs for each chunk of a body, and doesn't limit their number:
60,000 headers or 40,000 chunks of a byte fit into what is read at once.
"""

import re
from typing import Any

import h11

MAX_HEAD_BYTES = 16_384
MAX_HEAD_LINES = 100
# Chunks of a body that may be of any size; the others must have as many bytes on average.
MAX_SMALL_CHUNKS = 100
LEAST_CHUNK_BYTES = 1_024

_BLANK_LINE = re.compile(rb"\n\r?\n")


class BoundedParser(h11.Connection):
    """h11's parser of a server's connection, which refuses laborious heads and bodies."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD_BYTES)
        self._chunks = self._chunked_bytes = 0

    def next_event(self) -> Any:
        """Return the next event; see h11.

        Raises:
            RemoteProtocolError: not a valid request, or too laborious a one.
        """
        if self.their_state is h11.IDLE:
            self._check_head(self.trailing_data[0])
            self._chunks = self._chunked_bytes = 0
        event = super().next_event()
        if isinstance(event, h11.Data):
            self._chunks += event.chunk_end
            self._chunked_bytes += len(event.data)
            if self._chunks > MAX_SMALL_CHUNKS + self._chunked_bytes // LEAST_CHUNK_BYTES:
                raise h11.RemoteProtocolError("too many small chunks", 400)
        return event

    def _check_head(self, received: bytes) -> None:
        end = _BLANK_LINE.search(received, 0, MAX_HEAD_BYTES)
        if end is None and len(received) > MAX_HEAD_BYTES:
            raise h11.RemoteProtocolError("the head is too long", 431)
        if end and received.count(b"\n", 0, end.start()) >= MAX_HEAD_LINES:
            raise h11.RemoteProtocolError("too many headers", 431)
