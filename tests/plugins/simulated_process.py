"""A simulated process of a sender, which ends with all its threads, as a process does."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from newsletter.sending.delivery.worker_pool import MailTransport
from newsletter.sending.providers.provider import NoResponse, Response
from newsletter.sending.rehearsal import FakeSendGrid
from newsletter.sending.rehearsal.fake_sendgrid.faults import InjectedFault


class Killed(BaseException):
    """A simulated kill of the sender's process."""


class SimulatedProcess:
    """The transport of one process of a sender: once it is killed, no other thread POSTs.

    A sender that is killed doesn't wait for its threads. Without this, they would go on POSTing
    while the test goes on, and at random change what it does next.

    Args:
        post: POSTs a body; raises ``Killed`` to kill the process. Called by one thread at a time:
            which request meets which fault must not depend on the threads.
    """

    def __init__(self, post: Callable[[bytes], Response | NoResponse]) -> None:
        self._post = post
        self._lock = threading.Lock()
        self._is_killed = False

    @classmethod
    @contextmanager
    def running(cls, post: Callable[[bytes], Response | NoResponse]) -> Iterator[Self]:
        """Yield a process that has ended with the context, killed or not."""
        process = cls(post)
        with suppress(Killed):
            try:
                yield process
            finally:
                process.kill()

    def post_mail(self, body: bytes) -> Response | NoResponse:
        with self._lock:
            if self._is_killed:
                raise Killed
            try:
                return self._post(body)
            except Killed:
                self._is_killed = True
                raise

    def kill(self) -> None:
        """End the process, after the request that is under way."""
        with self._lock:
            self._is_killed = True


def post_with_fault(
    mailer: MailTransport, double: FakeSendGrid, fault: str | InjectedFault, body: bytes
) -> Response | NoResponse:
    """POST a body while the provider, the network or the sender's process has a fault."""
    if fault == "killed before POST":
        raise Killed
    if fault == "no connection":
        return NoResponse(request_sent=False, reason="connection refused")
    if isinstance(fault, InjectedFault):
        double.inject_faults(fault)
    response = mailer.post_mail(body)
    if fault == "killed after POST":
        raise Killed
    return response
