"""SendGrid as a provider.

What needs the network or the account is imported only when it is called: most commands send
nothing.
"""

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from newsletter.config import Config
from newsletter.errors import ConfigError, Location, Problem
from newsletter.posts.merge_tags.tags import PREFERENCES_TAG, UNSUBSCRIBE_TAG
from newsletter.render.email import Email
from newsletter.sending.doctor_check import DoctorCheck
from newsletter.sending.providers.facts import ProviderFacts
from newsletter.sending.providers.prepared_email import (
    InlineImage,
    PreparedEmail,
    PreparedRequest,
    ScheduledDelivery,
)
from newsletter.sending.providers.provider import (
    EventVerifier,
    NoResponse,
    Outcome,
    ProviderClient,
    RequestId,
    Response,
)
from newsletter.sending.providers.sendgrid.facts import FACTS, get_max_batch_size
from newsletter.sending.providers.sendgrid.outcomes import classify_response, suggest_remedy
from newsletter.sending.providers.sendgrid.payload import (
    SendGridEmail,
    build_request,
    oversized_batch_problem,
    prepare_email,
)
from newsletter.sending.providers.sendgrid.single_email import (
    encode_notification,
    encode_transactional,
)
from newsletter.sending.providers.suppressions import RetryTiming, SuppressionSource
from newsletter.subscribers import Recipient

if TYPE_CHECKING:
    from newsletter.events.read_events import WebhookBody

_SETTINGS = Location("newsletter.yml")


@dataclass(frozen=True, slots=True)
class SendGridProvider:
    """SendGrid, used as the settings say.

    Attributes:
        config: the newsletter's settings.
    """

    config: Config

    @property
    def facts(self) -> ProviderFacts:
        """What is true of SendGrid whatever the settings are."""
        return FACTS

    @property
    def max_batch_size(self) -> int:
        """How many recipients a batch may have."""
        return get_max_batch_size(self.config)

    @property
    def is_local(self) -> bool:
        """Whether the server is a fake one on this machine."""
        from newsletter.sending.providers.sendgrid.client import LOOPBACK_HOSTS, api_host

        return urlsplit(api_host(self.config.sendgrid)).hostname in LOOPBACK_HOSTS

    @property
    def has_unsubscribe_page(self) -> bool:
        """Whether there is an unsubscribe group, for which SendGrid has a page."""
        return bool(self.config.sendgrid.asm_group)

    def find_key_problems(self, environment: Mapping[str, str]) -> Iterator[Problem]:
        """Yield the problem that there is no API key, if so."""
        from newsletter.sending.providers.sendgrid.client import read_api_key

        try:
            read_api_key(environment)
        except ConfigError as error:
            yield from error.problems

    def find_link_problems(self, email: Email) -> Iterator[Problem]:
        """Yield why the links to unsubscribe in a frozen email would lead nowhere.

        They were made with the settings of that time: pages of our own, or SendGrid's.
        """
        from newsletter.render.issue import SENDGRID_TAGS

        group, has_pages = self.config.sendgrid.asm_group, bool(self.config.public_url)
        if group and not has_pages and {UNSUBSCRIBE_TAG, PREFERENCES_TAG} & {*email.merge_tags}:
            yield Problem(
                f"the email of {email.issue} has links to unsubscribe at public_url, which is not "
                "set",
                _SETTINGS,
                "Set public_url as it was when the email was planned.",
            )
        # In the text part, an article may be about them.
        if not group and any(tag in email.html for tag in SENDGRID_TAGS.values()):
            yield Problem(
                f"the email of {email.issue} has links to SendGrid's page to unsubscribe, and "
                "sendgrid.asm_group is not set",
                _SETTINGS,
                "Set sendgrid.asm_group as it was when the email was planned.",
            )

    def oversized_batch_problem(self) -> Problem:
        """Return the problem that a batch was planned with other settings."""
        return oversized_batch_problem()

    def prepare_email(
        self,
        email: Email,
        scheduled: ScheduledDelivery | None = None,
        inline_images: Sequence[InlineImage] = (),
    ) -> SendGridEmail:
        """Encode what is the same for every recipient."""
        return prepare_email(email, self.config, scheduled, inline_images)

    def build_request(
        self, prepared_email: PreparedEmail, recipients: Iterable[Recipient], request_id: RequestId
    ) -> PreparedRequest:
        """Build the body of ``mail/send`` for one batch."""
        assert isinstance(prepared_email, SendGridEmail)
        return build_request(prepared_email, recipients, request_id)

    def build_transactional(
        self,
        email: Email,
        address: str,
        *,
        queue_id: int,
        headers: Mapping[str, str],
        bypass_suppressions: bool,
    ) -> bytes:
        """Build the body of ``mail/send`` for an email to one reader that is not an issue."""
        return encode_transactional(
            email,
            self.config,
            address,
            queue_id=queue_id,
            headers=headers,
            bypass_suppressions=bypass_suppressions,
        )

    def build_notification(self, subject: str, text: str, address: str) -> bytes:
        """Build the body of ``mail/send`` for a notification of the editor."""
        return encode_notification(self.config, subject, text, address)

    @contextmanager
    def connect(
        self, environment: Mapping[str, str], timeout: float | None = None
    ) -> Iterator[ProviderClient]:
        """Open a client with the API key of the environment."""
        from newsletter.sending.providers.sendgrid.client import SendGridClient, read_api_key

        options = self.config.sendgrid
        if timeout is not None:
            limits = {
                "connect_timeout": min(options.connect_timeout, timeout),
                "read_timeout": min(options.read_timeout, timeout),
            }
            options = options.model_copy(update=limits)
        client = SendGridClient(read_api_key(environment), options)
        try:
            yield client
        finally:
            client.close()

    def classify(self, response: Response | NoResponse, now: datetime.datetime) -> Outcome:
        """Return what a response proves about the request."""
        return classify_response(response, now, sandbox=self.config.sendgrid.sandbox)

    def suggest_remedy(self, status: int, message: str) -> str:
        """Return what a person can do about a response that has blocked a send."""
        return suggest_remedy(status, message)

    def make_event_verifier(self) -> EventVerifier | None:
        """Return a function that verifies signed events; ``None`` without a key for it."""
        from newsletter.sending.providers.sendgrid.webhook import make_verifier

        key = self.config.sendgrid.webhook_key
        return make_verifier(key) if key else None

    def parse_events(self, body: bytes, received_at: datetime.datetime) -> "WebhookBody":
        """Return the entries of a request with events, and what is not an event."""
        from newsletter.events.read_events import parse_webhook_body

        return parse_webhook_body(body, received_at)

    def open_suppressions(self, client: ProviderClient, timing: RetryTiming) -> SuppressionSource:
        """Return the account's suppression lists."""
        from newsletter.sending.providers.sendgrid.client import SendGridClient
        from newsletter.sending.providers.sendgrid.suppressions_api import SuppressionClient

        assert isinstance(client, SendGridClient)
        return SuppressionClient(client, *timing, group=self.config.sendgrid.asm_group)

    def check_key(self, environment: Mapping[str, str]) -> Iterator[DoctorCheck]:
        """Yield the checks of the API key, without the network."""
        from newsletter.sending.providers.sendgrid.doctor_checks import check_api_key

        yield from check_api_key(self.config, environment)

    def check_webhook(self) -> DoctorCheck:
        """Check whether events can be verified."""
        from newsletter.sending.providers.sendgrid.doctor_checks import check_webhook

        return check_webhook(self.config)

    def check_account(
        self, client: ProviderClient, domains: Sequence[str], now: datetime.datetime
    ) -> Iterator[DoctorCheck]:
        """Yield the checks of the account and of the sender at SendGrid."""
        from newsletter.sending.providers.sendgrid.client import SendGridClient
        from newsletter.sending.providers.sendgrid.doctor_checks import check_sendgrid_account

        assert isinstance(client, SendGridClient)
        yield from check_sendgrid_account(self.config, client, domains, now)
