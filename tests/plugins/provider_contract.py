"""What every provider must do, whatever its API is.

A subclass of ``ProviderContract`` per provider supplies the fixture ``harness``, which runs it
against a double that is as strict as the provider.
"""

import datetime
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from sending_fixtures import CITY, NAME, MakeReaders, configured

from newsletter.config.urls import build_unsubscribe_url
from newsletter.errors import ProviderError
from newsletter.events.parse import Event
from newsletter.events.signature import WebhookSignatureError
from newsletter.render.email import Email
from newsletter.sending.providers.prepared_email import (
    PreparedEmail,
    ScheduledDelivery,
    split_into_batches,
)
from newsletter.sending.providers.provider import Outcome, Provider, ProviderClient, RequestId
from newsletter.sending.retry_policy import BatchAction, decide_batch_action
from newsletter.subscribers import Recipient

NOW = datetime.datetime(2026, 12, 1, 9, tzinfo=datetime.UTC)
REQUEST_ID = RequestId("1", "2", "3")
READERS = 7


class DeliveredCopy(NamedTuple):
    """What one reader gets, with all values filled in.

    Attributes:
        address: the reader's address.
        content: the subject, the HTML and the text.
        headers: the headers that readers' mail clients see, names in lower case.
    """

    address: str
    content: str
    headers: Mapping[str, str]


class SignedEvents(NamedTuple):
    """A request in which the provider reports an event.

    Attributes:
        headers: as it is signed.
        body: the raw body.
    """

    headers: Mapping[str, str]
    body: bytes


class ProviderHarness(ABC):
    """A provider, its connection, and a double of it.

    Attributes:
        provider: the provider.
        client: a connection to the double.
    """

    provider: Provider
    client: ProviderClient

    @abstractmethod
    def delivered(self) -> Sequence[DeliveredCopy]:
        """Return every copy that the double has accepted."""

    @abstractmethod
    @contextmanager
    def nothing_leaves(self) -> Iterator[ProviderClient]:
        """Yield a connection over which no byte of a request gets out."""

    @abstractmethod
    def lose_reply(self) -> None:
        """Cut the connection after the last byte of the next request, which is accepted."""

    @abstractmethod
    def refuse(self, reader: Recipient, index: int) -> None:
        """Refuse the next request because of one reader: that with this index in it."""

    @abstractmethod
    def report_event(self, reader: Recipient, request_id: RequestId) -> SignedEvents | None:
        """Return a request with an event about a reader; ``None`` if there are no events."""


class ProviderContract:
    """The tests that every provider must pass."""

    @pytest.fixture
    def readers(self, make_readers: MakeReaders) -> list[Recipient]:
        return make_readers(READERS)

    def prepare(self, harness: ProviderHarness, email: Email) -> PreparedEmail:
        return harness.provider.prepare_email(email)

    def send(
        self,
        harness: ProviderHarness,
        prepared: PreparedEmail,
        batch: Sequence[Recipient],
        client: ProviderClient | None = None,
    ) -> tuple[Outcome, BatchAction]:
        """Send one batch; return the outcome, and what becomes of the batch."""
        request = harness.provider.build_request(prepared, batch, REQUEST_ID)
        assert request.recipient_ids == tuple(reader.id for reader in batch)
        response = (client or harness.client).post_mail(request.body)
        outcome = harness.provider.classify(response, NOW)
        action = decide_batch_action(
            outcome, recipient_count=len(batch), attempts=0, now=NOW, jitter=0.0
        )
        return outcome, action

    def test_accepted_batch_is_proven_and_everybody_has_one_copy(
        self, harness: ProviderHarness, email: Email, readers: list[Recipient]
    ) -> None:
        prepared = self.prepare(harness, email)
        for batch in split_into_batches(prepared, readers):
            outcome, action = self.send(harness, prepared, batch)
            assert (outcome.kind, action.recipient_state) == ("accepted", "accepted")
            assert outcome.message_id
        assert [copy.address for copy in harness.delivered()] == [
            reader.address for reader in readers
        ]

    def test_batch_of_which_nothing_left_is_sent_again(
        self, harness: ProviderHarness, email: Email, readers: list[Recipient]
    ) -> None:
        prepared = self.prepare(harness, email)
        batch = next(split_into_batches(prepared, readers))
        with harness.nothing_leaves() as client:
            outcome, action = self.send(harness, prepared, batch, client)
        assert (outcome.kind, action.batch_state) == ("not_sent", "ready")
        assert outcome.message
        assert not harness.delivered()
        assert self.send(harness, prepared, batch)[0].kind == "accepted"
        assert len(harness.delivered()) == len(batch)

    def test_lost_reply_proves_nothing(
        self, harness: ProviderHarness, email: Email, readers: list[Recipient]
    ) -> None:
        prepared = self.prepare(harness, email)
        batch = next(split_into_batches(prepared, readers))
        harness.lose_reply()
        outcome, action = self.send(harness, prepared, batch)
        assert (outcome.kind, action.batch_state) == ("unknown", "unknown")
        assert (action.recipient_state, action.retry_at) == ("unknown", None)
        assert len(harness.delivered()) == len(batch)

    def test_refused_recipient_is_named_and_keeps_the_others_from_nothing(
        self, harness: ProviderHarness, email: Email, readers: list[Recipient]
    ) -> None:
        prepared = self.prepare(harness, email)
        batch = next(split_into_batches(prepared, readers))
        index = len(batch) - 1
        harness.refuse(batch[index], index)
        outcome, action = self.send(harness, prepared, batch)
        assert outcome.kind == "rejected"
        assert list(outcome.recipient_errors) == list(action.recipient_errors) == [index]
        assert outcome.recipient_errors[index]
        assert not harness.delivered()
        assert action.batch_state == ("ready" if batch[:index] else "rejected")

    def test_each_reader_gets_their_own_values_and_no_one_elses(
        self, harness: ProviderHarness, email: Email, readers: list[Recipient]
    ) -> None:
        readers = [
            reader._replace(attributes={**reader.attributes, "name": f"Ada-{reader.id}-Æ",
                                        "city": f"Bergen & {reader.id} <Vest>"})
            for reader in readers
        ]  # fmt: skip
        prepared = self.prepare(harness, email)
        for batch in split_into_batches(prepared, readers):
            self.send(harness, prepared, batch)
        copies = harness.delivered()
        assert len(copies) == len(readers)
        for reader, copy in zip(readers, copies, strict=True):
            assert copy.address == reader.address
            assert f"Dear Ada-{reader.id}-Æ," in copy.content
            assert f"Bergen &amp; {reader.id} &lt;Vest&gt;" in copy.content
            assert f"?c=Bergen%20%26%20{reader.id}%20%3CVest%3E" in copy.content
            for other in readers:
                is_own = other.id == reader.id
                assert (f"Ada-{other.id}-" in copy.content) == is_own
                assert (f"/{other.token}" in copy.content) == is_own
            for tag in (NAME, CITY):
                assert not any(tag.token(target) in copy.content for target in ("html", "text"))

    def test_unsubscribe_header_is_the_readers_own(
        self, harness: ProviderHarness, email: Email, readers: list[Recipient]
    ) -> None:
        prepared = self.prepare(harness, email)
        for batch in split_into_batches(prepared, readers):
            self.send(harness, prepared, batch)
        for reader, copy in zip(readers, harness.delivered(), strict=True):
            url = build_unsubscribe_url(configured(), reader.token)
            assert copy.headers["list-unsubscribe"] == f"<{url}>"
            assert copy.headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
            assert copy.headers["list-id"] == dict(email.headers)["List-Id"]

    def test_limits_of_count_and_bytes_are_kept(
        self, harness: ProviderHarness, email: Email, make_readers: MakeReaders
    ) -> None:
        provider = harness.provider
        assert 1 <= provider.max_batch_size <= provider.facts.max_batch_size
        assert provider.facts.max_batch_size <= provider.facts.unit_size
        prepared = self.prepare(harness, email)
        readers = make_readers(provider.max_batch_size + 1)
        batches = list(split_into_batches(prepared, readers))
        assert [reader for batch in batches for reader in batch] == readers
        assert all(len(batch) <= provider.max_batch_size for batch in batches)
        for batch in batches:
            request = provider.build_request(prepared, batch, REQUEST_ID)
            assert len(request.body) <= prepared.config.limits.request_bytes
            assert len(request.body) <= (
                prepared.shared_bytes + len(batch) * prepared.max_recipient_bytes
            )

    def test_request_without_recipients_is_empty(
        self, harness: ProviderHarness, email: Email
    ) -> None:
        request = harness.provider.build_request(self.prepare(harness, email), [], REQUEST_ID)
        assert (request.body, request.recipient_ids) == (b"", ())

    def test_signed_events_are_verified_and_name_their_request(
        self, harness: ProviderHarness, readers: list[Recipient]
    ) -> None:
        report = harness.report_event(readers[0], REQUEST_ID)
        verify = harness.provider.make_event_verifier()
        if report is None:
            assert verify is None
            return
        assert verify is not None
        get_headers = {name: [value] for name, value in report.headers.items()}.__getitem__
        now = datetime.datetime.now(datetime.UTC)
        assert verify(get_headers, report.body, now) == "fresh"
        with pytest.raises(WebhookSignatureError):
            verify(get_headers, report.body + b" ", now)
        with pytest.raises(WebhookSignatureError):
            verify(lambda _: [], report.body, now)
        parsed = harness.provider.parse_events(report.body, now)
        [event] = parsed.events
        assert isinstance(event, Event)
        assert (event.send_id, event.batch_id, event.attempt_number) == (1, 2, 3)
        assert event.address == readers[0].address
        assert not parsed.unreadable

    def test_scheduled_emails_are_cancelled_or_never_promised(
        self, harness: ProviderHarness, email: Email, readers: list[Recipient]
    ) -> None:
        if harness.provider.facts.max_hold is None:
            with pytest.raises(ProviderError):
                harness.client.create_schedule_id()
            with pytest.raises(ProviderError):
                harness.client.cancel_scheduled("made up")
            return
        schedule_id = harness.client.create_schedule_id()
        later = NOW + harness.provider.facts.max_hold / 2  # the simulated clock shows NOW
        prepared = harness.provider.prepare_email(email, ScheduledDelivery(schedule_id, later))
        assert self.send(harness, prepared, readers[:1])[0].kind == "accepted"
        for _ in range(2):
            harness.client.cancel_scheduled(schedule_id)
        with pytest.raises(ProviderError):
            harness.client.cancel_scheduled("made up")
