"""Large responses are handed to the server in pieces."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.responses import Response
from starlette.types import Message

from newsletter.web.http.piecewise_send import PIECE_BYTES, PiecewiseSendMiddleware


@pytest.mark.parametrize(
    ("size", "pieces"),
    [(0, 1), (1, 1), (PIECE_BYTES, 1), (PIECE_BYTES + 1, 2), (3 * PIECE_BYTES, 3)],
)
def test_no_piece_is_larger_than_the_limit(size: int, pieces: int) -> None:
    body = bytes(index % 251 for index in range(size))
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    call = PiecewiseSendMiddleware(Response(body))({"type": "http"}, receive, send)
    with ThreadPoolExecutor(1) as pool:  # browser tests may run an event loop in this thread
        pool.submit(asyncio.run, call).result()
    parts = [message for message in sent if message["type"] == "http.response.body"]
    assert b"".join(part["body"] for part in parts) == body
    assert all(len(part["body"]) <= PIECE_BYTES for part in parts)
    assert [part.get("more_body", False) for part in parts] == [True] * (pieces - 1) + [False]
