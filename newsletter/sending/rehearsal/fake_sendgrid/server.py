"""A stand-in for SendGrid on loopback: real HTTP, the documented limits, faults to order."""

import contextlib
import io
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self, cast

import orjson

from newsletter.sending.rehearsal.fake_sendgrid.endpoints import (
    Account,
    ScheduledSends,
    SuppressionLists,
)
from newsletter.sending.rehearsal.fake_sendgrid.faults import Fault, Trick
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend
from newsletter.sending.rehearsal.fake_sendgrid.validation import (
    REQUEST_BYTES,
    Complaint,
    examine,
    leftovers,
)

TOO_LARGE = b"<html><head><title>413 Request Entity Too Large</title></head></html>"
UNAUTHORISED = Complaint("The provided authorization grant is invalid, expired, or revoked", None)
CHUNK_BYTES = 1 << 16
DRIPS = 10


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came, and how it was answered.

    Attributes:
        body: empty if it was not read.
        headers: as they came, names in lower case.
        status: the HTTP status of the answer, 0 if there was none.
        fault: how it was treated.
    """

    body: bytes
    headers: dict[str, str]
    status: int
    fault: Fault


@dataclass(frozen=True, slots=True)
class Accepted:
    """One reader whom the double has promised to mail."""

    address: str
    custom_args: dict[str, str]
    message_id: str
    batch_id: str = ""


class SendGridDouble:
    """``POST /v3/mail/send`` and the suppression lists as documented, on a port of its own.

    Use it as a context manager. What it was asked and what it took can be read at any time.

    Args:
        key: the API key that it lets in.
        clock: seconds since the epoch.

    Attributes:
        key: the API key that it lets in.
        url: where it answers.
        requests: every request, in the order in which they came.
        accepted: every reader of every request that was taken.
        leftovers: merge tokens that some reader would have seen.
        connections: how many connections were opened to it.
        suppressions: the lists that it hands out.
        scheduled: the batch ids that it handed out, and which were taken back.
        account: what the key may do, and who may be a sender.
    """

    def __init__(
        self, key: str = "SG.rehearsal.key", clock: Callable[[], float] = time.time
    ) -> None:
        self.key = key
        self.clock = clock
        self.requests: list[Received] = []
        self.accepted: list[Accepted] = []
        self.leftovers: set[str] = set()
        self.connections = 0
        self.suppressions = SuppressionLists()
        self.scheduled = ScheduledSends()
        self.account = Account()
        self.closing = threading.Event()
        self._changed = threading.Condition()
        self._faults: deque[Fault] = deque()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def order(self, *faults: Fault) -> None:
        """Treat the next requests so, one fault each; those after them as documented."""
        with self._changed:
            self._faults.extend(faults)

    def wait_for_requests(self, count: int, seconds: float = 30.0) -> None:
        """Wait until so many requests have come.

        Raises:
            TimeoutError: they have not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, seconds):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came")

    def wait_until_alone(self, seconds: float = 30.0) -> None:
        """Wait until nobody is connected, so that whatever was on its way has come.

        Raises:
            TimeoutError: somebody still is.
        """
        # Connections are taken in their order: once this one is answered, none waits at the door.
        with socket.create_connection(("127.0.0.1", self._server.server_port), seconds) as knock:
            knock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            knock.recv(1)
        with self._changed:
            if not self._changed.wait_for(lambda: not self._server.open, seconds):
                raise TimeoutError(f"{len(self._server.open)} connections are still open")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        self._thread.join()

    def next_fault(self) -> Fault:
        """What the next request meets."""
        with self._changed:
            return self._faults.popleft() if self._faults else Fault(accept=True)

    def accept(self, mail: MailSend) -> str:
        """Promise to mail everybody in a request; returns its message id."""
        with self._changed:
            message_id = f"double{len(self.requests):016d}"
            self.leftovers |= leftovers(mail)
            self.accepted += [
                Accepted(
                    person.email,
                    {**mail.custom_args, **one.custom_args},
                    message_id,
                    mail.batch_id,
                )
                for one in mail.personalizations
                for person in one.everyone
            ]
        return message_id

    def changed(self) -> None:
        """Wake those who wait for something."""
        with self._changed:
            self._changed.notify_all()

    def record(self, request: Received) -> None:
        """Remember a request."""
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    # Eight senders open up to 128 connections at once; the default queue of five resets some.
    request_queue_size = 1024

    def __init__(self, double: SendGridDouble) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.double = double
        self.open: set[socket.socket] = set()

    def process_request(self, request: object, client_address: object) -> None:
        self.double.connections += 1
        self.open.add(cast("socket.socket", request))
        super().process_request(cast("socket.socket", request), client_address)

    def close_request(self, request: object) -> None:
        self.open.discard(cast("socket.socket", request))
        super().close_request(cast("socket.socket", request))
        self.double.changed()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""

    def hang_up(self) -> None:
        """End the connections that clients keep alive."""
        for connection in tuple(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server
    server_version = "SendGridDouble"
    ROUTES: ClassVar[frozenset[str]] = frozenset({"/v3/mail/send"})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet."""

    def do_GET(self) -> None:
        """Hand out one page of a suppression list, or what was ordered instead."""
        double = self.server.double
        parts = (double.suppressions, double.scheduled, double.account)
        if any(part.knows(self.path) for part in parts):
            self._treat(b"", double.next_fault())
        else:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed")

    def do_POST(self) -> None:
        """Take, refuse or lose one request."""
        if self.path not in self.ROUTES and not self.server.double.scheduled.knows(self.path):
            self._read()
            self._refuse(HTTPStatus.NOT_FOUND, "not found")
            return
        fault = self.server.double.next_fault()
        if fault.trick is Trick.CLOSE_UNREAD:
            self._record(b"", 0, fault)
            self.close_connection = True
            return
        self._treat(self._read(), fault)

    def _treat(self, body: bytes, fault: Fault) -> None:
        status, content, headers = self._deserved(body, take=fault.accept)
        if fault.status:
            status = fault.status
            content = _errors(fault.complaints)
            headers = fault.headers
        answers = fault.trick in {Trick.ANSWER, Trick.LATE, Trick.DRIP}
        self._record(body, status if answers else 0, fault)
        if fault.trick is Trick.DRIP:
            self._drip(status, content, headers, fault.seconds)
            return
        if answers:
            self.server.double.closing.wait(fault.seconds)
            self._answer(status, content, headers)
            return
        self.close_connection = True
        if fault.trick is Trick.RESET_MID_ANSWER:
            self.wfile.write(b"HTTP/1.1 2")
            self.wfile.flush()
            self._reset()
        elif fault.trick is Trick.GARBAGE:
            self.wfile.write(b"\x00\x01 this is not HTTP\r\n\r\n")
        elif fault.trick is Trick.FLOOD:
            self._flood(status)

    def _deserved(self, body: bytes, *, take: bool) -> tuple[int, bytes, dict[str, str]]:
        double = self.server.double
        if self.headers["Authorization"] != f"Bearer {double.key}":
            return HTTPStatus.UNAUTHORIZED, _errors((UNAUTHORISED,)), {}
        if double.scheduled.knows(self.path):
            status, data = double.scheduled.answer(self.command, self.path, body)
            return status, orjson.dumps(data), {}
        if double.account.knows(self.path):
            status, data = double.account.answer(self.path)
            return status, orjson.dumps(data), {}
        if self.command == "GET":
            status, data = double.suppressions.answer(self.path)
            return status, orjson.dumps(data), {}
        return self._mail(body, take=take)

    def _mail(self, body: bytes, *, take: bool) -> tuple[int, bytes, dict[str, str]]:
        double = self.server.double
        if self.headers.get_content_type() != "application/json":
            complaint = Complaint("Content-Type should be application/json.", None)
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _errors((complaint,)), {}
        if len(body) >= REQUEST_BYTES:
            headers = {"Content-Type": "text/html"}
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE, headers
        mail, complaints = examine(body, double.clock())
        if mail and mail.batch_id and mail.batch_id not in double.scheduled.made:
            complaints.append(Complaint("The batch id is not valid.", "batch_id"))
        if mail is None or complaints:
            return HTTPStatus.BAD_REQUEST, _errors(tuple(complaints)), {}
        if mail.sandbox:
            return HTTPStatus.OK, b"", {}
        message_id = double.accept(mail) if take else "lost"
        return HTTPStatus.ACCEPTED, b"", {"X-Message-Id": message_id}

    def _read(self) -> bytes:
        left = int(self.headers.get("Content-Length") or 0)
        parts = []
        while left and (part := self.rfile.read(min(left, CHUNK_BYTES))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def _record(self, body: bytes, status: int, fault: Fault) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.double.record(Received(body, headers, status, fault))

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, _errors((Complaint(message, None),)), {})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        base = {
            "Content-Type": "application/json",
            "X-RateLimit-Limit": "10000",
            "X-RateLimit-Remaining": "9999",
            "X-RateLimit-Reset": str(int(self.server.double.clock()) + 60),
        }
        for name, value in {**base, **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _drip(self, status: int, content: bytes, headers: dict[str, str], seconds: float) -> None:
        swift, whole = self.wfile, io.BytesIO()
        self.wfile = whole
        self._answer(status, content, headers)
        self.wfile = swift
        size = len(whole.getvalue()) // DRIPS + 1
        whole.seek(0)
        while piece := whole.read(size):
            self.server.double.closing.wait(seconds / DRIPS)
            swift.write(piece)
            swift.flush()

    def _reset(self) -> None:
        # Linger 0: close sends RST and not FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _flood(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.double.closing.is_set():
                self.wfile.write(b"x" * CHUNK_BYTES)


def _errors(complaints: tuple[Complaint, ...]) -> bytes:
    return orjson.dumps({"errors": [complaint.as_json() for complaint in complaints]})
