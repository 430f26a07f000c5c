"""A provider that delivers to a Maildir: one file a message, accepted or not on its own.

It is as small as a provider can be: it holds nothing, reports no events and tracks nothing.
"""

import datetime
import email.message
import mailbox
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Literal, NoReturn

from newsletter.config import Config
from newsletter.config.tracking import TrackedAction
from newsletter.errors import Problem, ProviderError
from newsletter.events.read_events import WebhookBody
from newsletter.render.email import Email, NamedAddress
from newsletter.render.eml import to_eml
from newsletter.render.headers import build_unsubscribe_headers
from newsletter.render.personalization import personalize_for_recipient
from newsletter.sending.doctor_check import DoctorCheck, ok, warn
from newsletter.sending.providers.facts import ProviderFacts
from newsletter.sending.providers.prepared_email import (
    InlineImage,
    PreparedEmail,
    PreparedRequest,
    ScheduledDelivery,
    display_name,
)
from newsletter.sending.providers.provider import (
    EventVerifier,
    NoResponse,
    Outcome,
    ProviderClient,
    RequestId,
    Response,
)
from newsletter.sending.providers.suppressions import RetryTiming, SuppressionSource
from newsletter.subscribers import Recipient

FACTS = ProviderFacts(
    key="maildir",
    name="Maildir",
    unit_size=1,
    outcome="each",
    fills="rendered",
    headers_per_reader=True,
)
MAX_RECIPIENT_BYTES = 4_000
# The reply codes of SMTP (RFC 5321).
ACCEPTED, REFUSED = 250, 550
SENT_AT = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)

Fault = Literal["disk full", "reply lost"]


@dataclass
class MaildirClient:
    """Writes messages to a Maildir.

    Attributes:
        maildir: the folder.
        refused: address -> why it is refused.
        faults: what happens to the next messages.
        attempts: how many messages were handed over.
    """

    maildir: mailbox.Maildir
    refused: dict[str, str] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    attempts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def post_mail(self, body: bytes) -> Response | NoResponse:
        with self.lock:
            self.attempts += 1
            fault = self.faults.popleft() if self.faults else None
            if reason := self.refused.get(get_recipient(parse_message(body))):
                return Response(REFUSED, {}, reason.encode())
            if fault == "disk full":
                # Until a message is renamed into the folder, nobody reads it.
                return NoResponse(request_sent=False, reason="no space left on device")
            key = self.maildir.add(body)
            if fault == "reply lost":
                return NoResponse(request_sent=True, reason="input/output error")
            return Response(ACCEPTED, {}, key.encode())

    def create_schedule_id(self) -> str:
        return self._refuse_hold()

    def cancel_scheduled(self, schedule_id: str) -> None:
        del schedule_id
        self._refuse_hold()

    def close(self) -> None:
        self.maildir.close()

    def _refuse_hold(self) -> NoReturn:
        raise ProviderError("a Maildir holds no emails until a later time")


@dataclass(frozen=True, slots=True, kw_only=True)
class MaildirEmail(PreparedEmail):
    """An email of which each reader's copy is rendered on its own."""

    @property
    def shared_bytes(self) -> int:
        # Quoted-printable needs up to three bytes for one.
        return 3 * len(f"{self.email.html}{self.email.text}".encode())

    @property
    def max_recipient_bytes(self) -> int:
        return MAX_RECIPIENT_BYTES

    def measure_recipients(self, recipients: Sequence[Recipient]) -> list[int]:
        return [MAX_RECIPIENT_BYTES] * len(recipients)

    def with_tracking(self, tracked: frozenset[TrackedAction]) -> "MaildirEmail":
        del tracked
        return self


@dataclass(frozen=True)
class MaildirProvider:
    """Delivers to the Maildir of a client that the test keeps."""

    config: Config
    client: MaildirClient

    @property
    def facts(self) -> ProviderFacts:
        return FACTS

    @property
    def max_batch_size(self) -> int:
        return FACTS.max_batch_size

    @property
    def is_local(self) -> bool:
        return True

    @property
    def has_unsubscribe_page(self) -> bool:
        return False

    def find_key_problems(self, environment: Mapping[str, str]) -> Iterator[Problem]:
        del environment
        yield from ()

    def find_link_problems(self, email: Email) -> Iterator[Problem]:
        del email
        yield from ()

    def oversized_batch_problem(self) -> Problem:
        return Problem("this send was planned with several readers per message")

    def prepare_email(
        self,
        email: Email,
        scheduled: ScheduledDelivery | None = None,
        inline_images: Sequence[InlineImage] = (),
    ) -> MaildirEmail:
        assert not scheduled
        assert not inline_images
        return MaildirEmail(email=email, config=self.config, max_batch_size=self.max_batch_size)

    def build_request(
        self, prepared_email: PreparedEmail, recipients: Iterable[Recipient], request_id: RequestId
    ) -> PreparedRequest:
        rows = [*recipients]
        if not rows:
            return PreparedRequest(b"", (), {})
        [reader] = rows
        copy = personalize_for_recipient(
            prepared_email.email, self.config, reader.attributes, reader.token
        )
        to = NamedAddress(display_name(reader), reader.address)
        headers = build_unsubscribe_headers(self.config, reader.token)
        body = self._render(copy, to, "-".join(request_id), headers)
        return PreparedRequest(body, (reader.id,), {})

    def build_transactional(
        self,
        email: Email,
        address: str,
        *,
        queue_id: int,
        headers: Mapping[str, str],
        bypass_suppressions: bool,
    ) -> bytes:
        del bypass_suppressions
        to = NamedAddress("", address)
        return self._render(email, to, f"queue-{queue_id}", tuple(headers.items()))

    def build_notification(self, subject: str, text: str, address: str) -> bytes:
        message = email.message.EmailMessage(policy.SMTP)
        message["From"], message["To"] = self.config.sender.address, address
        message["Subject"] = subject
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message.as_bytes()

    def _render(
        self, copy: Email, to: NamedAddress, name: str, headers: tuple[tuple[str, str], ...]
    ) -> bytes:
        message_id = f"<{name}@harbour-notes.org>"
        return to_eml(copy, to, date=SENT_AT, message_id=message_id, headers=headers)

    @contextmanager
    def connect(
        self, environment: Mapping[str, str], timeout: float | None = None
    ) -> Iterator[ProviderClient]:
        del environment, timeout
        yield self.client

    def classify(self, response: Response | NoResponse, now: datetime.datetime) -> Outcome:
        del now
        if isinstance(response, NoResponse):
            return Outcome("unknown" if response.request_sent else "not_sent", response.reason)
        text = response.body.decode()
        if response.status == ACCEPTED:
            return Outcome("accepted", status=ACCEPTED, message_id=text)
        return Outcome("rejected", text, response.status, recipient_errors={0: text})

    def suggest_remedy(self, status: int, message: str) -> str:
        return f"Look at the mailbox: {status} {message}"

    def make_event_verifier(self) -> EventVerifier | None:
        return None

    def parse_events(self, body: bytes, received_at: datetime.datetime) -> WebhookBody:
        del body, received_at
        return WebhookBody([], [])

    def open_suppressions(self, client: ProviderClient, timing: RetryTiming) -> SuppressionSource:
        del client, timing
        raise ProviderError("a Maildir has no suppression lists")

    def check_key(self, environment: Mapping[str, str]) -> Iterator[DoctorCheck]:
        del environment
        yield ok("key", "none is needed")

    def check_webhook(self) -> DoctorCheck:
        return warn("webhook", "a Maildir reports no events", "Bounces are not known.")

    def check_account(
        self, client: ProviderClient, domains: Sequence[str], now: datetime.datetime
    ) -> Iterator[DoctorCheck]:
        del client, domains, now
        yield ok("folder", "it can be written")


def parse_message(body: bytes) -> email.message.EmailMessage:
    message = message_from_bytes(body, policy=policy.default)
    assert isinstance(message, email.message.EmailMessage)
    return message


def get_recipient(message: email.message.EmailMessage) -> str:
    return str(message["To"].addresses[0].addr_spec)


def get_content(message: email.message.EmailMessage) -> str:
    """Return the subject, the text and the HTML."""
    return "\n".join([message["Subject"], *(part.get_content() for part in message.iter_parts())])


def make_client(folder: Path) -> MaildirClient:
    return MaildirClient(mailbox.Maildir(folder))
