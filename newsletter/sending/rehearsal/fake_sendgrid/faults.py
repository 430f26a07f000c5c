"""What can go wrong on the way, to order: hand these to ``SendGridDouble.order``."""

from dataclasses import dataclass, field
from enum import Enum, auto

from newsletter.sending.rehearsal.fake_sendgrid.validation import Complaint


class Trick(Enum):
    """What happens to the connection."""

    ANSWER = auto()
    LATE = auto()
    DRIP = auto()
    CLOSE_UNREAD = auto()
    CLOSE = auto()
    RESET_MID_ANSWER = auto()
    GARBAGE = auto()
    FLOOD = auto()


@dataclass(frozen=True, slots=True)
class Fault:
    """How one request is treated.

    Attributes:
        trick: what happens to the connection.
        accept: whether the request is taken all the same, if it is in order.
        status: the HTTP status to answer with; 0 for what the request deserves.
        complaints: the ``errors`` of such an answer.
        headers: further headers of such an answer.
        seconds: how long the answer is held back.
        name: what a report calls it.
    """

    trick: Trick = Trick.ANSWER
    accept: bool = False
    status: int = 0
    complaints: tuple[Complaint, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    name: str = ""


def refused(
    status: int, message: str = "", where: str | None = None, *, accept: bool = False
) -> Fault:
    """An answer with ``status``, and in the vendor's words ``message`` about field ``where``."""
    complaints = (Complaint(message or f"status {status}", where),)
    return Fault(accept=accept, status=status, complaints=complaints)


def rate_limit_response(reset: float | str) -> Fault:
    """429, until ``reset`` (seconds since the epoch)."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    return Fault(status=429, complaints=(Complaint("too many requests", None),), headers=headers)


def late(seconds: float) -> Fault:
    """The request is taken, and the answer comes ``seconds`` later."""
    return Fault(Trick.LATE, accept=True, seconds=seconds)


def drip(seconds: float) -> Fault:
    """The request is taken, and the answer comes in small pieces that take ``seconds`` in all."""
    return Fault(Trick.DRIP, accept=True, seconds=seconds)


def lost_answer() -> Fault:
    """The request is taken, and the connection closed without an answer."""
    return Fault(Trick.CLOSE, accept=True)


def lost_request() -> Fault:
    """The request is read and forgotten, and the connection closed without an answer."""
    return Fault(Trick.CLOSE)


def cut_request() -> Fault:
    """The connection is closed before the body is read."""
    return Fault(Trick.CLOSE_UNREAD)


def reset_mid_answer() -> Fault:
    """The request is taken, and the connection reset in the middle of the status line."""
    return Fault(Trick.RESET_MID_ANSWER, accept=True)


def garbage() -> Fault:
    """The request is taken, and what comes back is not HTTP."""
    return Fault(Trick.GARBAGE, accept=True)


def flood(status: int) -> Fault:
    """An answer with ``status`` whose body does not end."""
    return Fault(Trick.FLOOD, status=status)
