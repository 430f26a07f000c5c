"""All that is stored about one address (GDPR, article 15).

For the editor, and for a subscriber who asks.
"""

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import (
    event,
    send,
    send_recipient,
    subscriber,
    subscriber_tag,
)
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.attribute_types import AttributeValue
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import find_erased
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.consent.suppressions import SuppressionEntry, load_suppressions


class IssueDelivery(NamedTuple):
    """An issue that they were to get, and what became of their copy."""

    issue: str
    frozen_at: datetime.datetime
    state: str
    error: str


class ProviderEvent(NamedTuple):
    """What the vendor has reported; ``issue`` is ``""`` where it doesn't say."""

    type: str
    at: datetime.datetime
    issue: str


@dataclass(frozen=True, slots=True)
class SubscriberProfile:
    """A subscriber; without the token, which is a secret of their own links.

    Attributes:
        id: never given twice.
        address: as typed.
        name: perhaps ``""``.
        status: one of ``STATUSES``.
        attributes: in their types.
        source: where they came from.
        joined_at: since when they are a reader.
        confirmed_at: when they confirmed, if they did.
        soft_bounces: in a row.
        paused_until: until when they get nothing, as they asked; perhaps over.
        tags: in order.
        journal: how they came to their status.
        suppressed: why they are not mailed, whatever their status.
        copies: the issues, the latest first.
        events: the latest first.
    """

    id: int
    address: str
    name: str
    status: str
    attributes: Mapping[str, AttributeValue]
    source: str
    joined_at: datetime.datetime
    confirmed_at: datetime.datetime | None
    soft_bounces: int
    paused_until: datetime.datetime | None
    tags: tuple[str, ...]
    journal: tuple[JournalEntry, ...]
    suppressed: tuple[SuppressionEntry, ...]
    copies: tuple[IssueDelivery, ...]
    events: tuple[ProviderEvent, ...]


_PROFILE_COLUMNS = (
    "id",
    "address",
    "name",
    "status",
    "attributes",
    "source",
    "joined_at",
    "confirmed_at",
    "soft_bounces",
    "paused_until",
)


def find_profile(connection: sa.Connection, address: ParsedAddress) -> SubscriberProfile:
    """All that is known of an address.

    Raises:
        ListError: it is not in the list.
    """
    mine = sa.select(*(subscriber.c[name] for name in _PROFILE_COLUMNS))
    found = connection.execute(mine.where(subscriber.c.address_key == address.key))
    row = found.mappings().one_or_none()
    if row is None:
        raise subscriber_not_found_error(connection, address)
    id_ = row["id"]
    tags = sa.select(subscriber_tag.c.tag).where(subscriber_tag.c.subscriber_id == id_)
    return SubscriberProfile(
        **row,
        tags=tuple(sorted(connection.scalars(tags))),
        journal=tuple(journal.load_journal(connection, id_)),
        suppressed=load_suppressions(connection, address.key),
        copies=_load_deliveries(connection, id_),
        events=_load_events(connection, address.key),
    )


def profile_to_dict(profile: SubscriberProfile) -> dict[str, Any]:
    """A profile as objects, lists and values of JSON; ``dataclasses.asdict`` leaves tuples."""
    data = {field.name: getattr(profile, field.name) for field in dataclasses.fields(profile)}
    data["journal"] = [entry.to_dict() for entry in profile.journal]
    for name in ("suppressed", "copies", "events"):
        data[name] = [each._asdict() for each in data[name]]
    return data


def subscriber_not_found_error(
    connection: sa.Connection, address: ParsedAddress
) -> SubscriberListError:
    """Why there is nobody of that address."""
    gone = find_erased(connection, [address.key]).get(address.key)
    if gone:
        return SubscriberListError(
            f"{address.address} was erased on {gone.date()}, as its owner asked"
        )
    suppressed = load_suppressions(connection, address.key)
    if suppressed:
        why = f"kept out of it: {suppressed[0].reason} since {suppressed[0].since.date()}"
        return SubscriberListError(f"{address.address} is not in the list, and {why}")
    return SubscriberListError(
        f"{address.address} is not in the list",
        remedy="Look for a part of it: newsletter subscribers list --search TEXT",
    )


def _load_deliveries(connection: sa.Connection, id_: int) -> tuple[IssueDelivery, ...]:
    mine = (
        sa.select(send.c.issue, send.c.frozen_at, send_recipient.c.state, send_recipient.c.error)
        .select_from(send.join(send_recipient, send.c.id == send_recipient.c.send_id))
        .where(send_recipient.c.subscriber_id == id_)
        .order_by(send.c.frozen_at.desc())
    )
    return tuple(IssueDelivery(*row) for row in connection.execute(mine))


def _load_events(connection: sa.Connection, key: str) -> tuple[ProviderEvent, ...]:
    mine = (
        sa.select(event.c.type, event.c.at, sa.func.coalesce(send.c.issue, ""))
        .select_from(event.outerjoin(send, send.c.id == event.c.send_id))
        .where(event.c.address_key == key)
        .order_by(event.c.at.desc())
    )
    return tuple(ProviderEvent(*row) for row in connection.execute(mine))
