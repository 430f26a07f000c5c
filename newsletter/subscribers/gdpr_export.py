"""All data about one subscriber, for requests under GDPR article 15."""

import dataclasses
import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import (
    address_change,
    event,
    send,
    send_recipient,
    subscriber,
    subscriber_tag,
    transactional_email,
)
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.attribute_types import AttributeValue
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import find_erased
from newsletter.subscribers.consent.former_addresses import (
    find_former_addresses,
    their_emails_condition,
)
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.consent.suppressions import SuppressionEntry, load_suppressions
from newsletter.subscribers.consent.unreadable_events import UnreadableMention, load_mentions
from newsletter.subscribers.queries.near_addresses import find_near_addresses
from newsletter.subscribers.recalled_sends import is_recalled
from newsletter.subscribers.send_names import get_original_issue
from newsletter.subscribers.topics import TopicOptOut, load_opt_outs
from newsletter.wording import format_suggestion

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
    "opens_consent",
    "clicks_consent",
)


class IssueDelivery(NamedTuple):
    """The delivery of one issue to the subscriber.

    Attributes:
        issue: the name of the issue.
        frozen_at: when the audience of its send was frozen.
        state: one of ``newsletter.db.schema.RECIPIENT_STATES``, or ``recalled``.
        error: the provider's error message, or our own; ``""`` if there is none.
    """

    issue: str
    frozen_at: datetime.datetime
    state: str
    error: str


class ProviderEvent(NamedTuple):
    """An event reported by the provider; ``issue`` is ``""`` if unknown."""

    type: str
    at: datetime.datetime
    issue: str


class SentEmail(NamedTuple):
    """A transactional email about the subscription.

    Attributes:
        kind: one of ``newsletter.db.schema.TRANSACTIONAL_EMAIL_KINDS``.
        address: where it went, perhaps an address that they had before.
        at: when it was requested.
        state: one of ``newsletter.db.schema.TRANSACTIONAL_EMAIL_STATES``.
    """

    kind: str
    address: str
    at: datetime.datetime
    state: str


@dataclass(frozen=True, slots=True)
class SubscriberProfile:
    """All data about a subscriber, except the token, which is the secret in their links.

    Attributes:
        id: the subscriber's id, which is never reused.
        address: the address as typed.
        name: the name, perhaps ``""``.
        status: one of ``STATUSES``.
        attributes: the editor's own attributes, each in its type.
        source: where the subscriber came from.
        joined_at: when they joined.
        confirmed_at: when they confirmed; ``None`` if they have not.
        soft_bounces: number of soft bounces in a row.
        paused_until: the end of the pause that they asked for, perhaps in the past.
        opens_consent: whether opens may be recorded; ``None`` if they were not asked.
        clicks_consent: whether clicks may be recorded; ``None`` if they were not asked.
        tags: the tags, sorted.
        journal: the journal entries that led to the status.
        suppressed: the suppressions, which apply whatever the status.
        opt_outs: the topics that they don't want.
        copies: the deliveries of issues to them, also those not made yet, the latest first.
        events: the provider's events, the latest first.
        unreadable_events: what mentions the address in data that is not understood.
        emails: the transactional emails to them that are kept, the latest first.
        requested_address: the new address that they asked for and have not confirmed; or ``""``.
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
    opens_consent: bool | None
    clicks_consent: bool | None
    tags: tuple[str, ...]
    journal: tuple[JournalEntry, ...]
    suppressed: tuple[SuppressionEntry, ...]
    opt_outs: tuple[TopicOptOut, ...]
    copies: tuple[IssueDelivery, ...]
    events: tuple[ProviderEvent, ...]
    unreadable_events: tuple[UnreadableMention, ...]
    emails: tuple[SentEmail, ...]
    requested_address: str


def find_profile(connection: sa.Connection, address: ParsedAddress) -> SubscriberProfile:
    """Return all data about the subscriber with an address.

    Raises:
        SubscriberListError: the address is not in the list.
    """
    query = sa.select(*(subscriber.c[name] for name in _PROFILE_COLUMNS))
    result = connection.execute(query.where(subscriber.c.address_key == address.key))
    row = result.mappings().one_or_none()
    if row is None:
        raise subscriber_not_found_error(connection, address)
    id_ = row["id"]
    tags = sa.select(subscriber_tag.c.tag).where(subscriber_tag.c.subscriber_id == id_)
    return SubscriberProfile(
        **{**row, "attributes": dict(sorted(row["attributes"].items()))},
        tags=tuple(sorted(connection.scalars(tags))),
        journal=tuple(journal.load_journal(connection, id_)),
        suppressed=load_suppressions(connection, address.key),
        opt_outs=load_opt_outs(connection, address.key),
        copies=_load_deliveries(connection, id_),
        events=_load_events(connection, address.key),
        unreadable_events=load_mentions(connection, address.key),
        emails=_load_emails(connection, address.key, id_),
        requested_address=_load_requested_address(connection, id_),
    )


def profile_to_dict(profile: SubscriberProfile) -> dict[str, Any]:
    """Return a profile as a dict for JSON.

    Its named tuples become dicts too; ``dataclasses.asdict`` would keep them as tuples, which are
    arrays without names in JSON.
    """
    data = {field.name: getattr(profile, field.name) for field in dataclasses.fields(profile)}
    data["journal"] = [entry.to_dict() for entry in profile.journal]
    for name in ("suppressed", "opt_outs", "copies", "events", "unreadable_events", "emails"):
        data[name] = [item._asdict() for item in data[name]]
    return data


def subscriber_not_found_error(
    connection: sa.Connection, address: ParsedAddress
) -> SubscriberListError:
    """Return an error that states why no subscriber has this address."""
    erased_at = find_erased(connection, [address.key]).get(address.key)
    if erased_at:
        return SubscriberListError(
            f"{address.address} was erased on {erased_at.date()} at the owner's request"
        )
    suppressed = load_suppressions(connection, address.key)
    if suppressed:
        reason = f"{suppressed[0].reason} since {suppressed[0].since.date()}"
        return SubscriberListError(
            f"{address.address} is not in the list, and is suppressed: {reason}"
        )
    near = find_near_addresses(connection, address.key)
    return SubscriberListError(
        f"{address.address} is not in the list",
        remedy=format_suggestion(near)
        or "Search for part of the address: newsletter subscribers list TEXT",
    )


def _load_deliveries(connection: sa.Connection, id_: int) -> tuple[IssueDelivery, ...]:
    query = (
        sa.select(
            send.c.scheduled_at,
            send.c.recalled_at,
            send.c.issue,
            send.c.frozen_at,
            send_recipient.c.state,
            send_recipient.c.error,
        )
        .select_from(send.join(send_recipient, send.c.id == send_recipient.c.send_id))
        .where(send_recipient.c.subscriber_id == id_)
        .order_by(send.c.frozen_at.desc(), send.c.id.desc())
    )
    return tuple(
        IssueDelivery(
            get_original_issue(issue),
            frozen_at,
            "recalled" if is_recalled(scheduled_at, recalled_at) else state,
            error,
        )
        for scheduled_at, recalled_at, issue, frozen_at, state, error in connection.execute(query)
    )


def _load_events(connection: sa.Connection, key: str) -> tuple[ProviderEvent, ...]:
    query = (
        sa.select(event.c.type, event.c.at, sa.func.coalesce(send.c.issue, ""))
        .select_from(event.outerjoin(send, send.c.id == event.c.send_id))
        .where(event.c.address_key == key)
        .order_by(event.c.at.desc(), ByCodePoint(event.c.sg_event_id).desc())
    )
    return tuple(
        ProviderEvent(type_, at, get_original_issue(issue))
        for type_, at, issue in connection.execute(query)
    )


def _load_emails(connection: sa.Connection, key: str, id_: int) -> tuple[SentEmail, ...]:
    columns = transactional_email.c
    query = (
        sa.select(columns.kind, columns.address, columns.created_at, columns.state)
        .where(their_emails_condition(key, find_former_addresses(connection, id_)))
        .order_by(columns.created_at.desc(), columns.id.desc())
    )
    return tuple(SentEmail(*row) for row in connection.execute(query))


def _load_requested_address(connection: sa.Connection, id_: int) -> str:
    query = sa.select(address_change.c.address).where(address_change.c.subscriber_id == id_)
    return connection.scalar(query) or ""
