"""What every provider does with an email, and what its responses prove.

A provider's own API, limits and quirks are in its folder. The others know only what is here, and
get the provider from ``newsletter.sending.providers.registry``.
"""

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from newsletter.errors import Problem
from newsletter.render.email import Email
from newsletter.sending.doctor_check import DoctorCheck
from newsletter.sending.providers.facts import ProviderFacts
from newsletter.sending.providers.prepared_email import (
    InlineImage,
    PreparedEmail,
    PreparedRequest,
    ScheduledDelivery,
)
from newsletter.sending.providers.suppressions import RetryTiming, SuppressionSource
from newsletter.subscribers import Recipient

if TYPE_CHECKING:
    from newsletter.events.read_events import WebhookBody


@dataclass(frozen=True, slots=True)
class Response:
    """The provider's response to one request.

    Attributes:
        status: the status of HTTP, or the reply code of SMTP.
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
        status: the response's status, if there was one.
        message_id: the provider's id of what it has accepted, or ``""``.
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


class ProviderClient(Protocol):
    """An open connection to an account at the provider; used from several threads at once."""

    def post_mail(self, body: bytes) -> Response | NoResponse:
        """Send the body of one request, once; never retry."""

    def create_schedule_id(self) -> str:
        """Return an id under which emails are held until their time; no email is sent.

        Raises:
            ProviderError: the provider returned none, or holds no emails.
        """

    def cancel_scheduled(self, schedule_id: str) -> None:
        """Cancel all that is held under an id. Idempotent.

        Raises:
            ProviderError: the provider did not confirm it.
        """

    def close(self) -> None:
        """Close all connections."""


# Given a function that returns a header's values, the raw body and the time, returns ``late`` if
# the request is a retry or a replay.
EventVerifier = Callable[
    [Callable[[str], Sequence[str]], bytes, datetime.datetime], Literal["fresh", "late"]
]


class Provider(Protocol):
    """A provider, as the newsletter's settings want it used.

    Nothing here sends; ``connect`` returns what does.
    """

    @property
    def facts(self) -> ProviderFacts:
        """What is true of it whatever the settings are."""

    @property
    def max_batch_size(self) -> int:
        """How many recipients a batch may have: as the facts say, or fewer with these settings."""

    @property
    def is_local(self) -> bool:
        """Whether what it accepts stays on this machine."""

    @property
    def has_unsubscribe_page(self) -> bool:
        """Whether the links to unsubscribe lead to a page of the provider."""

    def find_key_problems(self, environment: Mapping[str, str]) -> Iterator[Problem]:
        """Yield why nothing could be sent with this environment: a missing key."""

    def find_link_problems(self, email: Email) -> Iterator[Problem]:
        """Yield why the provider's own links in a frozen email would lead nowhere now."""

    def oversized_batch_problem(self) -> Problem:
        """Return the problem that a planned batch has more recipients than ``max_batch_size``."""

    def prepare_email(
        self,
        email: Email,
        scheduled: ScheduledDelivery | None = None,
        inline_images: Sequence[InlineImage] = (),
    ) -> PreparedEmail:
        """Encode what is the same for every recipient.

        Args:
            email: as rendered.
            scheduled: set if the provider is to hold the email until a time.
            inline_images: the images inside the email itself.

        Raises:
            SendRefusedError: the provider would reject the email, whoever the recipient is; all
                reasons at once.
        """

    def build_request(
        self, prepared_email: PreparedEmail, recipients: Iterable[Recipient], request_id: RequestId
    ) -> PreparedRequest:
        """Build the request for one batch, without recipients whom the provider would reject."""

    def build_transactional(
        self,
        email: Email,
        address: str,
        *,
        queue_id: int,
        headers: Mapping[str, str],
        bypass_suppressions: bool,
    ) -> bytes:
        """Build the request for an email to one reader that is not an issue; untracked.

        Args:
            email: as rendered, without merge tags.
            address: the recipient's address.
            queue_id: its number in the queue.
            headers: headers for this recipient.
            bypass_suppressions: whether the recipient gets it even if they have unsubscribed.
        """

    def build_notification(self, subject: str, text: str, address: str) -> bytes:
        """Build the request for a notification of the editor: text only, untracked."""

    def connect(
        self, environment: Mapping[str, str], timeout: float | None = None
    ) -> AbstractContextManager[ProviderClient]:
        """Open a connection to the account.

        Args:
            environment: holds the key.
            timeout: seconds after which a request is given up, if that is less than the settings
                allow.

        Raises:
            ConfigError: there is no key, or it is not valid.
        """

    def classify(self, response: Response | NoResponse, now: datetime.datetime) -> Outcome:
        """Return what a response proves about the request.

        Args:
            response: the response, or why there was none.
            now: aware.
        """

    def suggest_remedy(self, status: int, message: str) -> str:
        """Return what a person can do about a response that has blocked a send.

        Args:
            status: the response's status.
            message: the provider's error message.
        """

    def make_event_verifier(self) -> EventVerifier | None:
        """Return a function that verifies a request with events, or raises.

        ``None`` if there is no key to verify with, or the provider reports no events. The function
        raises a ``WebhookSignatureError``.
        """

    def parse_events(self, body: bytes, received_at: datetime.datetime) -> "WebhookBody":
        """Return the entries of a request with events, and what is not an event."""

    def open_suppressions(self, client: ProviderClient, timing: RetryTiming) -> SuppressionSource:
        """Return the account's suppression lists."""

    def check_key(self, environment: Mapping[str, str]) -> Iterator[DoctorCheck]:
        """Yield the checks of the key, without the network."""

    def check_webhook(self) -> DoctorCheck:
        """Check whether events of the provider can be received."""

    def check_account(
        self, client: ProviderClient, domains: Sequence[str], now: datetime.datetime
    ) -> Iterator[DoctorCheck]:
        """Yield the checks of the account, over the network.

        Args:
            client: from ``connect``.
            domains: the sender's domain, then its parents.
            now: the time of this machine, aware.
        """
