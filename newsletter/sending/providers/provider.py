"""What every email provider has in common: answers, outcomes, and the id of a request."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class Response:
    """What the vendor answered.

    Attributes:
        status: the HTTP status.
        headers: names in lower case.
        body: its start, as much as was asked for.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoResponse:
    """There was no answer.

    Attributes:
        request_sent: whether the last byte of the request had gone out; if not, nobody can have
            acted on it.
        reason: what happened, in words.
    """

    request_sent: bool
    reason: str


OutcomeKind = Literal["accepted", "not_sent", "rejected", "unknown", "blocked", "throttled"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one request came to.

    Attributes:
        kind: what it proves. Only after ``unknown`` may anybody have mail that we don't know of.
        message: the vendor's own, or what happened on the way.
        status: the HTTP status, if there was an answer.
        message_id: the vendor's ``x-message-id``.
        recipient_errors: index in the request -> the vendor's words about that reader.
        remedy: what a person can do about ``blocked``.
        retry_at: when to try again after ``throttled``.
    """

    kind: OutcomeKind
    message: str = ""
    status: int | None = None
    message_id: str = ""
    recipient_errors: Mapping[int, str] = field(default_factory=dict)
    remedy: str = ""
    retry_at: datetime.datetime | None = None


class RequestId(NamedTuple):
    """Which request this is; comes back with every event of the vendor, so it tells nothing else.

    Attributes:
        send_id: the send's id.
        batch_id: the batch's id.
        attempt_number: 1 for the batch's first request.
    """

    send_id: str
    batch_id: str
    attempt_number: str
