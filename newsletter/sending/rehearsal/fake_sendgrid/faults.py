"""What can go wrong on the way, to order: hand these to ``SendGridDouble.order``."""

from dataclasses import dataclass, field
from enum import Enum, auto

from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry


class ConnectionBehavior(Enum):
    """What happens to the connection."""

    RESPOND = auto()
    DELAY = auto()
    TRICKLE = auto()
    CLOSE_UNREAD = auto()
    CLOSE = auto()
    RESET_MID_RESPONSE = auto()
    INVALID_HTTP = auto()
    ENDLESS_BODY = auto()


@dataclass(frozen=True, slots=True)
class InjectedFault:
    """How one request is treated.

    Attributes:
        behavior: what happens to the connection.
        accept: whether the request is taken all the same, if it is in order.
        status: the HTTP status to answer with; 0 for what the request deserves.
        errors: the ``errors`` of such an answer.
        headers: further headers of such an answer.
        seconds: how long the answer is held back.
        name: what a report calls it.
    """

    behavior: ConnectionBehavior = ConnectionBehavior.RESPOND
    accept: bool = False
    status: int = 0
    errors: tuple[ApiErrorEntry, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    name: str = ""


def error_response(
    status: int, message: str = "", field_path: str | None = None, *, accept: bool = False
) -> InjectedFault:
    """An answer with ``status``, and in the vendor's words ``message`` about field ``where``."""
    complaints = (ApiErrorEntry(message or f"status {status}", field_path),)
    return InjectedFault(accept=accept, status=status, errors=complaints)


def rate_limit_response(reset_at: float | str) -> InjectedFault:
    """429, until ``reset`` (seconds since the epoch)."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset_at)}
    return InjectedFault(
        status=429, errors=(ApiErrorEntry("too many requests", None),), headers=headers
    )


def slow_response(seconds: float) -> InjectedFault:
    """The request is taken, and the answer comes ``seconds`` later."""
    return InjectedFault(ConnectionBehavior.DELAY, accept=True, seconds=seconds)


def trickled_response(seconds: float) -> InjectedFault:
    """The request is taken, and the answer comes in small pieces that take ``seconds`` in all."""
    return InjectedFault(ConnectionBehavior.TRICKLE, accept=True, seconds=seconds)


def lost_response() -> InjectedFault:
    """The request is taken, and the connection closed without an answer."""
    return InjectedFault(ConnectionBehavior.CLOSE, accept=True)


def lost_request() -> InjectedFault:
    """The request is read and forgotten, and the connection closed without an answer."""
    return InjectedFault(ConnectionBehavior.CLOSE)


def unread_request() -> InjectedFault:
    """The connection is closed before the body is read."""
    return InjectedFault(ConnectionBehavior.CLOSE_UNREAD)


def reset_mid_response() -> InjectedFault:
    """The request is taken, and the connection reset in the middle of the status line."""
    return InjectedFault(ConnectionBehavior.RESET_MID_RESPONSE, accept=True)


def invalid_http_response() -> InjectedFault:
    """The request is taken, and what comes back is not HTTP."""
    return InjectedFault(ConnectionBehavior.INVALID_HTTP, accept=True)


def endless_response(status: int) -> InjectedFault:
    """An answer with ``status`` whose body does not end."""
    return InjectedFault(ConnectionBehavior.ENDLESS_BODY, status=status)
