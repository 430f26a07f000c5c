"""Types that all providers share: responses, outcomes, request ids."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class Response:
    """The provider's response to one request.

    Attributes:
        status: the HTTP status.
        headers: names in lower case.
        body: the start of the body, up to the limit that the caller set.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoResponse:
    """A request that got no response.

    Attributes:
        request_sent: whether the last byte of the request had gone out; if not, the provider
            can't have acted on it.
        reason: what happened, as readable text.
    """

    request_sent: bool
    reason: str


OutcomeKind = Literal["accepted", "not_sent", "rejected", "unknown", "blocked", "throttled"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one request.

    Attributes:
        kind: what the response proves. Only after ``unknown`` may a recipient have an email that
            the ledger doesn't know of.
        message: the provider's error message, or the network error.
        status: the HTTP status, if there was a response.
        message_id: the provider's ``x-message-id``.
        recipient_errors: index in the request -> the provider's message about that recipient.
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
    """The identity of one request.

    It comes back with every event of the provider, so it holds no personal data.

    Attributes:
        send_id: the send's id.
        batch_id: the batch's id.
        attempt_number: 1 for the batch's first request.
    """

    send_id: str
    batch_id: str
    attempt_number: str
