"""The parser's limits: length and lines of heads, chunks of bodies."""

from typing import Any

import h11
import pytest

from newsletter.web.http.request_parser import (
    LEAST_CHUNK_BYTES,
    MAX_HEAD_BYTES,
    MAX_HEAD_LINES,
    MAX_SMALL_CHUNKS,
    BoundedParser,
)

LINE = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
SMALL_CHUNK = b"1\r\nx\r\n"
LARGE_CHUNK = b"%x\r\n%s\r\n" % (LEAST_CHUNK_BYTES, b"x" * LEAST_CHUNK_BYTES)
END = b"0\r\n\r\n"


def make_head(size: int) -> bytes:
    """A head of so many bytes."""
    return LINE + b"X: " + b"a" * (size - len(LINE) - 7) + b"\r\n\r\n"


def parse(parser: BoundedParser, received: bytes) -> list[Any]:
    """The events until the parser wants more or has a whole request."""
    parser.receive_data(received)
    events: list[Any] = []
    while not events or not isinstance(events[-1], h11.EndOfMessage):
        event = parser.next_event()
        if event is h11.NEED_DATA:
            break
        events.append(event)
    return events


@pytest.mark.parametrize(
    "received",
    [
        make_head(MAX_HEAD_BYTES),
        LINE + b"a:\r\n" * (MAX_HEAD_LINES - 2) + b"\r\n",
        LINE.replace(b"\r", b"") + b"a:\n" * (MAX_HEAD_LINES - 2) + b"\n",
        CHUNKED + SMALL_CHUNK * MAX_SMALL_CHUNKS + END,
        CHUNKED + SMALL_CHUNK * MAX_SMALL_CHUNKS + LARGE_CHUNK * 500 + END,
        CHUNKED + LARGE_CHUNK * 500 + SMALL_CHUNK * MAX_SMALL_CHUNKS + END,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n" + b"\n" * 90_000,
        LINE + b"\r\n" + make_head(MAX_HEAD_BYTES) * 4,
    ],
    ids=["bytes", "lines", "lines of line feeds", "small chunks", "small chunks before large ones",
         "small chunks after large ones", "a large body", "more requests behind it"],
)  # fmt: skip
def test_request_within_the_limits_is_parsed(received: bytes) -> None:
    events = parse(BoundedParser(), received)
    assert isinstance(events[0], h11.Request)
    assert isinstance(events[-1], h11.EndOfMessage)


@pytest.mark.parametrize(
    "received",
    [
        make_head(MAX_HEAD_BYTES + 1),
        make_head(60_000),
        make_head(60_000)[:-1],
        b"\r\n" * MAX_HEAD_BYTES,
        LINE + b"a:\r\n" * (MAX_HEAD_LINES - 1) + b"\r\n",
        LINE.replace(b"\r", b"") + b"a:\n" * (MAX_HEAD_LINES - 1) + b"\n",
        CHUNKED + SMALL_CHUNK * (MAX_SMALL_CHUNKS + 1),
        CHUNKED + LARGE_CHUNK * 500 + SMALL_CHUNK * (MAX_SMALL_CHUNKS + 2),
        CHUNKED + b"200\r\n%s\r\n" % (b"x" * 512) * (2 * MAX_SMALL_CHUNKS + 2),
    ],
    ids=["one byte too many", "60 kB", "60 kB and no end", "empty lines", "one line too many",
         "one line of line feeds too many", "one small chunk too many",
         "small chunks after large ones", "chunks below the average"],
)  # fmt: skip
def test_laborious_request_is_refused(received: bytes) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        parse(BoundedParser(), received)


def test_limits_apply_to_each_request_of_a_connection() -> None:
    parser = BoundedParser()
    body = SMALL_CHUNK * MAX_SMALL_CHUNKS + END
    for _ in range(3):
        assert isinstance(parse(parser, CHUNKED + body)[-1], h11.EndOfMessage)
        parser.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
        parser.send(h11.EndOfMessage())
        parser.start_next_cycle()
    with pytest.raises(h11.RemoteProtocolError):
        parse(parser, make_head(MAX_HEAD_BYTES + 1))


def test_head_that_comes_a_byte_at_a_time_is_parsed() -> None:
    parser = BoundedParser()
    head = LINE + b"X: a\r\n\r\n"
    counts = [len(parse(parser, head[at : at + 1])) for at in range(len(head))]
    assert counts == [0] * (len(head) - 1) + [2]
