"""HTTP server of the fake SendGrid: documented limits, injected faults."""

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
    FakeAccount,
    ScheduledSends,
    SuppressionLists,
)
from newsletter.sending.rehearsal.fake_sendgrid.faults import ConnectionBehavior, InjectedFault
from newsletter.sending.rehearsal.fake_sendgrid.schema import MailSend
from newsletter.sending.rehearsal.fake_sendgrid.validation import (
    MAX_REQUEST_BYTES,
    ApiErrorEntry,
    find_unfilled_tokens,
    validate_request,
)

TOO_LARGE_BODY = b"<html><head><title>413 Request Entity Too Large</title></head></html>"
UNAUTHORIZED_ERROR = ApiErrorEntry(
    "The provided authorization grant is invalid, expired, or revoked", None
)
CHUNK_BYTES = 1 << 16
TRICKLE_PARTS = 10


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request as received, and the status of its response.

    Attributes:
        body: empty if it was not read.
        headers: as received, names in lower case.
        status: the HTTP status of the response, 0 if there was none.
        fault: how the request was treated.
    """

    body: bytes
    headers: dict[str, str]
    status: int
    fault: InjectedFault


@dataclass(frozen=True, slots=True)
class AcceptedRecipient:
    """One recipient of an accepted request."""

    address: str
    custom_args: dict[str, str]
    message_id: str
    batch_id: str = ""


class FakeSendGrid:
    """A fake of SendGrid's API, as documented, on a free port.

    Use it as a context manager. Requests and accepted recipients can be read at any time.

    Args:
        key: the API key that it accepts.
        clock: returns the time, in seconds since the epoch.
        host: the IPv4 address that it listens on; that of the loopback interface by default.

    Attributes:
        key: the API key that it accepts.
        host: the address that it listens on.
        url: its base URL.
        requests: every request, in the order of arrival.
        accepted: every recipient of every accepted request.
        unfilled_tokens: substitution tokens that some recipient would have seen.
        connection_count: how many connections were opened to it.
        suppressions: its suppression lists.
        scheduled: the batch ids that it created, and which of them were cancelled.
        account: the key's permissions and the verified senders.
    """

    def __init__(
        self,
        key: str = "SG.rehearsal.key",
        clock: Callable[[], float] = time.time,
        host: str = "127.0.0.1",
    ) -> None:
        self.key = key
        self.clock = clock
        self.host = host
        self.requests: list[ReceivedRequest] = []
        self.accepted: list[AcceptedRecipient] = []
        self.unfilled_tokens: set[str] = set()
        self.connection_count = 0
        self.suppressions = SuppressionLists()
        self.scheduled = ScheduledSends()
        self.account = FakeAccount()
        self.closing = threading.Event()
        self._condition = threading.Condition()
        self._faults: deque[InjectedFault] = deque()
        self._server = _Server(self, host)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{self.host}:{self._server.server_port}"

    def inject_faults(self, *faults: InjectedFault) -> None:
        """Apply the faults to the next requests, one each; later ones are handled as documented."""
        with self._condition:
            self._faults.extend(faults)

    def clear_faults(self) -> None:
        """Forget the faults that no request has met."""
        with self._condition:
            self._faults.clear()

    def wait_for_requests(self, count: int, seconds: float = 30.0) -> None:
        """Wait until ``count`` requests have arrived.

        Raises:
            TimeoutError: fewer arrived in ``seconds``.
        """
        with self._condition:
            if not self._condition.wait_for(lambda: len(self.requests) >= count, seconds):
                raise TimeoutError(f"{len(self.requests)} of {count} requests arrived")

    def wait_until_idle(self, seconds: float = 30.0) -> None:
        """Wait until no client is connected, so that every request sent so far has arrived.

        Raises:
            TimeoutError: some connections are still open after ``seconds``.
        """
        # Connections are accepted in order: once this one has a response, none is in the queue.
        with socket.create_connection((self.host, self._server.server_port), seconds) as probe:
            probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
            probe.recv(1)
        with self._condition:
            if not self._condition.wait_for(lambda: not self._server.open_connections, seconds):
                raise TimeoutError(
                    f"{len(self._server.open_connections)} connections are still open"
                )

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
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def next_fault(self) -> InjectedFault:
        """Return the fault for the next request."""
        with self._condition:
            return self._faults.popleft() if self._faults else InjectedFault(accept=True)

    def accept(self, mail_send: MailSend) -> str:
        """Accept a request for delivery and return its message id."""
        with self._condition:
            message_id = f"double{len(self.requests):016d}"
            self.unfilled_tokens |= find_unfilled_tokens(mail_send)
            self.accepted += [
                AcceptedRecipient(
                    mailbox.email,
                    {**mail_send.custom_args, **personalization.custom_args},
                    message_id,
                    mail_send.batch_id,
                )
                for personalization in mail_send.personalizations
                for mailbox in personalization.all_recipients
            ]
        return message_id

    def notify_waiters(self) -> None:
        """Wake the threads that wait for a condition."""
        with self._condition:
            self._condition.notify_all()

    def record_request(self, request: ReceivedRequest) -> None:
        """Record a request and wake the threads that wait for it."""
        with self._condition:
            self.requests.append(request)
            self._condition.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    # Eight senders open up to 128 connections at once; the default queue of five would reset some.
    request_queue_size = 1024

    def __init__(self, fake: FakeSendGrid, host: str) -> None:
        super().__init__((host, 0), _Handler)
        self.fake = fake
        self.open_connections: set[socket.socket] = set()

    def process_request(self, request: object, client_address: object) -> None:
        self.fake.connection_count += 1
        self.open_connections.add(cast("socket.socket", request))
        super().process_request(cast("socket.socket", request), client_address)

    def close_request(self, request: object) -> None:
        self.open_connections.discard(cast("socket.socket", request))
        super().close_request(cast("socket.socket", request))
        self.fake.notify_waiters()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore client disconnects."""

    def close_connections(self) -> None:
        """Shut down the connections that clients keep alive."""
        for connection in tuple(self.open_connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server
    server_version = "FakeSendGrid"
    ROUTES: ClassVar[frozenset[str]] = frozenset({"/v3/mail/send"})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """No-op."""

    def do_GET(self) -> None:
        """Respond with a list, an account record or a scheduled send, or apply the next fault."""
        fake = self.server.fake
        parts = (fake.suppressions, fake.scheduled, fake.account)
        if any(part.handles(self.path) for part in parts):
            self._handle_request(b"", fake.next_fault())
        else:
            self._send_error(HTTPStatus.METHOD_NOT_ALLOWED, "method not allowed")

    def do_POST(self) -> None:
        """Accept or reject one request, or apply the next fault."""
        if self.path not in self.ROUTES and not self.server.fake.scheduled.handles(self.path):
            self._read_body()
            self._send_error(HTTPStatus.NOT_FOUND, "not found")
            return
        fault = self.server.fake.next_fault()
        if fault.behavior is ConnectionBehavior.CLOSE_UNREAD:
            self._record_request(b"", 0, fault)
            self.close_connection = True
            return
        self._handle_request(self._read_body(), fault)

    def _handle_request(self, body: bytes, fault: InjectedFault) -> None:
        status, content, headers = self._build_response(body, accept=fault.accept)
        if fault.status:
            status = fault.status
            content = _encode_errors(fault.errors)
            headers = fault.headers
        responds = fault.behavior in {
            ConnectionBehavior.RESPOND,
            ConnectionBehavior.DELAY,
            ConnectionBehavior.TRICKLE,
        }
        self._record_request(body, status if responds else 0, fault)
        if fault.behavior is ConnectionBehavior.TRICKLE:
            self._trickle_response(status, content, headers, fault.seconds)
            return
        if responds:
            self.server.fake.closing.wait(fault.seconds)
            self._send_response(status, content, headers)
            return
        self.close_connection = True
        if fault.behavior is ConnectionBehavior.RESET_MID_RESPONSE:
            self.wfile.write(b"HTTP/1.1 2")
            self.wfile.flush()
            self._reset_connection()
        elif fault.behavior is ConnectionBehavior.INVALID_HTTP:
            self.wfile.write(b"\x00\x01 this is not HTTP\r\n\r\n")
        elif fault.behavior is ConnectionBehavior.ENDLESS_BODY:
            self._send_endless_body(status)

    def _build_response(self, body: bytes, *, accept: bool) -> tuple[int, bytes, dict[str, str]]:
        fake = self.server.fake
        if self.headers["Authorization"] != f"Bearer {fake.key}":
            return HTTPStatus.UNAUTHORIZED, _encode_errors((UNAUTHORIZED_ERROR,)), {}
        if fake.scheduled.handles(self.path):
            status, data = fake.scheduled.respond(self.command, self.path, body)
            return status, orjson.dumps(data), {}
        if fake.account.handles(self.path):
            status, data = fake.account.respond(self.path)
            return status, orjson.dumps(data), {}
        if self.command == "GET":
            status, data = fake.suppressions.respond(self.path)
            return status, orjson.dumps(data), {}
        return self._handle_mail_send(body, accept=accept)

    def _handle_mail_send(self, body: bytes, *, accept: bool) -> tuple[int, bytes, dict[str, str]]:
        fake = self.server.fake
        if self.headers.get_content_type() != "application/json":
            error = ApiErrorEntry("Content-Type should be application/json.", None)
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, _encode_errors((error,)), {}
        if len(body) >= MAX_REQUEST_BYTES:
            headers = {"Content-Type": "text/html"}
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TOO_LARGE_BODY, headers
        mail_send, errors = validate_request(body, fake.clock())
        if mail_send and mail_send.batch_id and mail_send.batch_id not in fake.scheduled.batch_ids:
            errors.append(ApiErrorEntry("The batch id is not valid.", "batch_id"))
        if mail_send is None or errors:
            return HTTPStatus.BAD_REQUEST, _encode_errors(tuple(errors)), {}
        if mail_send.is_sandbox:
            return HTTPStatus.OK, b"", {}
        message_id = fake.accept(mail_send) if accept else "lost"
        return HTTPStatus.ACCEPTED, b"", {"X-Message-Id": message_id}

    def _read_body(self) -> bytes:
        remaining = int(self.headers.get("Content-Length") or 0)
        parts = []
        while remaining and (part := self.rfile.read(min(remaining, CHUNK_BYTES))):
            parts.append(part)
            remaining -= len(part)
        return b"".join(parts)

    def _record_request(self, body: bytes, status: int, fault: InjectedFault) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.fake.record_request(ReceivedRequest(body, headers, status, fault))

    def _send_error(self, status: int, message: str) -> None:
        self._send_response(status, _encode_errors((ApiErrorEntry(message, None),)), {})

    def _send_response(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        base = {
            "Content-Type": "application/json",
            "X-RateLimit-Limit": "10000",
            "X-RateLimit-Remaining": "9999",
            "X-RateLimit-Reset": str(int(self.server.fake.clock()) + 60),
        }
        for name, value in {**base, **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _trickle_response(
        self, status: int, content: bytes, headers: dict[str, str], seconds: float
    ) -> None:
        connection_file, buffer = self.wfile, io.BytesIO()
        self.wfile = buffer
        self._send_response(status, content, headers)
        self.wfile = connection_file
        size = len(buffer.getvalue()) // TRICKLE_PARTS + 1
        buffer.seek(0)
        while piece := buffer.read(size):
            self.server.fake.closing.wait(seconds / TRICKLE_PARTS)
            connection_file.write(piece)
            connection_file.flush()

    def _reset_connection(self) -> None:
        # Linger 0: close sends RST instead of FIN.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _send_endless_body(self, status: int) -> None:
        self.send_response(status)
        self.end_headers()
        with contextlib.suppress(OSError):
            while not self.server.fake.closing.is_set():
                self.wfile.write(b"x" * CHUNK_BYTES)


def _encode_errors(errors: tuple[ApiErrorEntry, ...]) -> bytes:
    return orjson.dumps({"errors": [error.as_json() for error in errors]})
