"""Faults for ``FakeSendGrid.inject_faults``: lost, slow, broken responses."""

from dataclasses import dataclass, field
from enum import Enum, auto

from newsletter.sending.rehearsal.fake_sendgrid.validation import ApiErrorEntry


class ConnectionBehavior(Enum):
    """How the connection is treated once the request has arrived."""

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
        accept: whether the request is accepted nevertheless, if it is valid.
        status: the HTTP status of the response; 0 for the regular response.
        errors: the ``errors`` of the response if ``status`` is set.
        headers: additional headers of the response if ``status`` is set.
        seconds: how long the response is delayed.
        name: its name in a report.
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
    """Respond with ``status`` and the error ``message`` about ``field_path``."""
    errors = (ApiErrorEntry(message or f"status {status}", field_path),)
    return InjectedFault(accept=accept, status=status, errors=errors)


def rate_limit_response(reset_at: float | str) -> InjectedFault:
    """Respond with a 429 whose rate limit is reset at ``reset_at`` (seconds since the epoch)."""
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset_at)}
    return InjectedFault(
        status=429, errors=(ApiErrorEntry("too many requests", None),), headers=headers
    )


def slow_response(seconds: float) -> InjectedFault:
    """Accept the request and respond ``seconds`` later."""
    return InjectedFault(ConnectionBehavior.DELAY, accept=True, seconds=seconds)


def trickled_response(seconds: float) -> InjectedFault:
    """Accept the request and respond in small pieces over ``seconds``."""
    return InjectedFault(ConnectionBehavior.TRICKLE, accept=True, seconds=seconds)


def lost_response() -> InjectedFault:
    """Accept the request and close the connection without a response."""
    return InjectedFault(ConnectionBehavior.CLOSE, accept=True)


def lost_request() -> InjectedFault:
    """Read the request, discard it, and close the connection without a response."""
    return InjectedFault(ConnectionBehavior.CLOSE)


def unread_request() -> InjectedFault:
    """Close the connection before the body is read."""
    return InjectedFault(ConnectionBehavior.CLOSE_UNREAD)


def reset_mid_response() -> InjectedFault:
    """Accept the request and reset the connection in the middle of the status line."""
    return InjectedFault(ConnectionBehavior.RESET_MID_RESPONSE, accept=True)


def invalid_http_response() -> InjectedFault:
    """Accept the request and respond with something that is not HTTP."""
    return InjectedFault(ConnectionBehavior.INVALID_HTTP, accept=True)


def endless_response(status: int) -> InjectedFault:
    """Respond with ``status`` and a body that does not end."""
    return InjectedFault(ConnectionBehavior.ENDLESS_BODY, status=status)
