"""Drop opens and clicks of readers who have not agreed to them.

With ``tracking: ask`` such an event comes from an email that was sent before readers were asked, or
before this one refused, or because SendGrid's account tracks everything. It is not stored. With
``off``, those of readers who have refused are not stored: they were asked once.
"""

import re
from collections.abc import Sequence

import sqlalchemy as sa

from newsletter.config.tracking import TrackedAction, TrackingOptions
from newsletter.db.bulk import column_in
from newsletter.db.schema import send_recipient, subscriber
from newsletter.events.parse import Event
from newsletter.events.store import make_address_key
from newsletter.subscribers.consent.tracking_answers import consent_column
from newsletter.subscribers.tracking_groups import consent_condition

_ID_PATTERN = re.compile("[0-9]{1,18}")
_EVENT_TYPES: dict[TrackedAction, str] = {"opens": "open", "clicks": "click"}


def drop_events_without_consent(
    connection: sa.Connection, events: Sequence[Event], tracking: TrackingOptions
) -> Sequence[Event]:
    """Return the events without those that may not be recorded.

    Args:
        connection: in the transaction that records the events.
        events: the events of a request, or of a part of a file.
        tracking: the settings.
    """
    for action, type_ in _EVENT_TYPES.items():
        candidates = [item for item in events if item.type == type_]
        if not candidates or action in tracking.unconditional:
            continue
        keys = {make_address_key(item.address) for item in candidates}
        if action in tracking.asked_actions:
            dropped = keys - _find_addresses(connection, candidates, consent_condition(action))
        else:
            refusal = subscriber.c[consent_column(action)].is_(False)
            dropped = _find_addresses(connection, candidates, refusal)
        if dropped:
            events = [
                item
                for item in events
                if item.type != type_ or make_address_key(item.address) not in dropped
            ]
    return events


def _find_addresses(
    connection: sa.Connection, events: Sequence[Event], condition: sa.ColumnElement[bool]
) -> set[str]:
    """Return the addresses of readers on a condition, also those that they were mailed at."""
    keys = {make_address_key(item.address) for item in events}
    query = sa.select(subscriber.c.address_key, sa.func.coalesce(condition, sa.false())).where(
        column_in(connection, subscriber.c.address_key, keys)
    )
    readers: dict[str, bool] = dict(connection.execute(query).all())
    found = {key for key, holds in readers.items() if holds}
    # Whoever has an address now decides about it, not who had it before.
    moved = {
        int(id_)
        for item in events
        if make_address_key(item.address) not in readers
        and _ID_PATTERN.fullmatch(id_ := str(item.raw.get("nl_subscriber")))
    }
    send_ids = {item.send_id for item in events if item.send_id is not None}
    if moved and send_ids:
        former = (
            sa.select(send_recipient.c.address_key)
            .join(subscriber, subscriber.c.id == send_recipient.c.subscriber_id)
            .where(
                column_in(connection, send_recipient.c.subscriber_id, moved),
                column_in(connection, send_recipient.c.send_id, send_ids),
                condition,
            )
        )
        found |= {*connection.scalars(former)} - readers.keys()
    return found
