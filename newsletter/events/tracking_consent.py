"""Drop opens and clicks of readers who have not agreed to them.

With ``tracking: ask`` such an event comes from an email that was sent before readers were asked, or
before this one refused, or because SendGrid's account tracks everything. It is not stored.
"""

import re
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from newsletter.config.tracking import TrackedAction
from newsletter.db.bulk import column_in
from newsletter.db.schema import send_recipient, subscriber
from newsletter.events.parse import Event
from newsletter.events.store import make_address_key
from newsletter.subscribers.tracking_groups import consent_condition

_ID_PATTERN = re.compile("[0-9]{1,18}")
_EVENT_TYPES: dict[TrackedAction, str] = {"opens": "open", "clicks": "click"}


def drop_events_without_consent(
    connection: sa.Connection, events: Sequence[Event], asked: Collection[TrackedAction]
) -> Sequence[Event]:
    """Return the events without those that may not be recorded.

    Args:
        connection: in the transaction that records the events.
        events: the events of a request, or of a part of a file.
        asked: what is recorded of those readers only who have agreed.
    """
    for action in asked:
        candidates = [item for item in events if item.type == _EVENT_TYPES[action]]
        if candidates:
            agreed = _find_agreed(connection, candidates, action)
            dropped = {
                item.id for item in candidates if make_address_key(item.address) not in agreed
            }
            events = [item for item in events if item.id not in dropped]
    return events


def _find_agreed(
    connection: sa.Connection, events: Sequence[Event], action: TrackedAction
) -> set[str]:
    """Return the addresses of readers who agree, also those that they had when they were mailed."""
    keys = {make_address_key(item.address) for item in events}
    query = sa.select(subscriber.c.address_key, consent_condition(action)).where(
        column_in(connection, subscriber.c.address_key, keys)
    )
    consents: dict[str, bool] = dict(connection.execute(query).all())
    agreed = {key for key, answer in consents.items() if answer}
    # Whoever has an address now decides about it, not who had it before.
    moved = {
        int(id_)
        for item in events
        if make_address_key(item.address) not in consents
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
                consent_condition(action),
            )
        )
        agreed |= {*connection.scalars(former)} - consents.keys()
    return agreed
