"""An email as far as all its recipients share it, and its batches. Pure."""

import datetime
import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from newsletter.config.models import Config
from newsletter.config.tracking import TrackedAction
from newsletter.render.email import Email
from newsletter.subscribers import Recipient

MAX_NAME_LENGTH = 255
# How many recipients are measured at a time.
PAGE_SIZE = 1_000


class ScheduledDelivery(NamedTuple):
    """Delivery that the provider holds back until a time.

    Attributes:
        batch_id: the provider's id for all requests of a send; cancelling uses it.
        send_at: aware; ``None`` if the time has come.
    """

    batch_id: str
    send_at: datetime.datetime | None


class InlineImage(NamedTuple):
    """An image inside the email itself, which its HTML shows by ``cid:`` (RFC 2392).

    Attributes:
        name: the file's name, shown where a mail client lists it as an attachment.
        media_type: such as ``image/png``.
        content_id: unique in the email; without angle brackets.
        data: the bytes of the file.
    """

    name: str
    media_type: str
    content_id: str
    data: bytes


class PreparedRequest(NamedTuple):
    """The body of one request and its recipients.

    Attributes:
        body: what is sent; empty if no recipient is left.
        recipient_ids: the recipients' ids, in the order in which the request has them.
        rejected_recipients: id -> why the provider would reject any request with this recipient.
    """

    body: bytes
    recipient_ids: tuple[int, ...]
    rejected_recipients: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedEmail(ABC):
    """An email that a provider has encoded as far as all recipients share it.

    Attributes:
        email: as rendered, with its substitution tokens.
        config: the newsletter's settings.
        max_batch_size: how many recipients a batch may have at this provider.
        scheduled: set if the provider is to hold the email until a time.
        inline_images: the images inside the email itself.
        tracked: what the provider is asked to record; ``None`` for what the settings want to be
            recorded of every reader.
    """

    email: Email
    config: Config
    max_batch_size: int
    scheduled: ScheduledDelivery | None = None
    inline_images: Sequence[InlineImage] = ()
    tracked: frozenset[TrackedAction] | None = None

    @property
    def batch_size(self) -> int:
        """The maximum number of recipients in a request."""
        return min(self.max_batch_size, self.config.limits.batch_size)

    @property
    def always_fits(self) -> bool:
        """Whether a full batch always fits into a request, whatever its recipients' data."""
        max_bytes = self.shared_bytes + self.batch_size * self.max_recipient_bytes
        return max_bytes <= self.config.limits.request_bytes

    @property
    @abstractmethod
    def shared_bytes(self) -> int:
        """How many bytes a request has without recipients."""

    @property
    @abstractmethod
    def max_recipient_bytes(self) -> int:
        """How many bytes one recipient can add to a request at most."""

    @abstractmethod
    def measure_recipients(self, recipients: Sequence[Recipient]) -> Sequence[int]:
        """Return how many bytes each recipient adds to a request."""

    @abstractmethod
    def with_tracking(self, tracked: frozenset[TrackedAction]) -> Self:
        """Return the email, prepared so that the provider is asked to record just this."""


def split_into_batches(
    prepared_email: PreparedEmail, recipients: Iterable[Recipient]
) -> Iterator[tuple[Recipient, ...]]:
    """Yield the recipients in batches, limited by count and by bytes, in their order."""
    limit = prepared_email.config.limits.request_bytes
    unread = iter(recipients)
    batch: list[Recipient] = []
    size = prepared_email.shared_bytes
    while page := [*itertools.islice(unread, PAGE_SIZE)]:
        sizes: Sequence[int] = [prepared_email.max_recipient_bytes] * len(page)
        if not prepared_email.always_fits:
            sizes = prepared_email.measure_recipients(page)
        for recipient, added in zip(page, sizes, strict=True):
            if batch and (len(batch) == prepared_email.batch_size or size + added > limit):
                yield tuple(batch)
                batch, size = [], prepared_email.shared_bytes
            batch.append(recipient)
            size += added
    if batch:
        yield tuple(batch)


def display_name(recipient: Recipient) -> str:
    """Return the name for the recipient's address, or ``""`` if a provider may reject it there."""
    name = recipient.attributes.get("name", "")
    is_allowed = name.isprintable() and ";" not in name and "," not in name
    return name if is_allowed and len(name) <= MAX_NAME_LENGTH else ""
