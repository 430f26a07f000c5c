"""A provider that does nothing: it reads requests and responds with 202, after a while."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import SynchronizedArray


class SinkProtocol(asyncio.BufferedProtocol):
    """A minimal HTTP server: it reads the length of a request and responds with 202.

    A request without a body asks for a list, such as that of the unsubscribed: it is empty.
    """

    response = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nX-Message-Id: sink\r\n\r\n"
    empty_list = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]"

    def __init__(self, latency: float, totals: "SynchronizedArray[int]") -> None:
        self._latency = latency
        self._totals = totals
        self._buffer = memoryview(bytearray(1 << 20))
        self._header = b""
        self._remaining = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self._remaining:
            self._header += bytes(self._buffer[:nbytes])
            header, end, body = self._header.partition(b"\r\n\r\n")
            if not end:
                return
            self._header = b""
            if header.startswith(b"GET "):
                self._respond(self.empty_list)
                return
            length = header.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            self._remaining, nbytes = int(length), len(body)
            self._totals[0] += 1
            self._totals[1] += self._remaining
        self._remaining -= nbytes
        if not self._remaining:
            asyncio.get_running_loop().call_later(self._latency, self._respond, self.response)

    def _respond(self, response: bytes) -> None:
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(response)


@dataclass(frozen=True, slots=True)
class HttpSink:
    """A running sink.

    Attributes:
        url: where it listens, on loopback.
        pid: of its process.
        totals: requests and bytes of their bodies since its start.
    """

    url: str
    pid: int
    totals: "SynchronizedArray[int]"


def _serve(
    latency: float, ports: "multiprocessing.Queue[int]", totals: "SynchronizedArray[int]"
) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: SinkProtocol(latency, totals), "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


@contextmanager
def running_sink(latency: float) -> Iterator[HttpSink]:
    """Run a sink in a process of its own; ``latency`` is in seconds."""
    ports: multiprocessing.Queue[int] = multiprocessing.Queue()
    totals = multiprocessing.Array("q", 2)
    process = multiprocessing.Process(target=_serve, args=(latency, ports, totals), daemon=True)
    process.start()
    try:
        yield HttpSink(f"http://127.0.0.1:{ports.get()}", process.pid or 0, totals)
    finally:
        process.kill()
        process.join()
