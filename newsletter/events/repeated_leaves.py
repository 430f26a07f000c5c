"""Recognize that a reader left again, by an event without id and time.

Such an event looks the same each time, so the second one would be taken for the first. Whoever has
subscribed again between the two and leaves again must not be mailed: while the reader is not
unsubscribed, the event is a new one. So is the first one if it is received again by then; it can't
be told from a second one, and a reader who stays can subscribe again.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import sqlalchemy as sa

from newsletter.db.bulk import column_in
from newsletter.db.schema import event, subscriber
from newsletter.events.apply import find_moved_reports, status_from_event
from newsletter.events.parse import Event
from newsletter.events.store import RecordedEvent, make_address_key
from newsletter.subscribers.consent.erasure import lock_list
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES

_LEAVING = frozenset({"unsubscribed", "complained"})


def renew_repeated_leaves(
    connection: sa.Connection, events: Sequence[Event], asm_group: int | None
) -> list[Event]:
    """Return the events, with a new id for each that says that a reader has left again.

    Args:
        connection: in a write transaction, before the events are recorded.
        events: the events of a request, or of a part of a file.
        asm_group: our unsubscribe group, if there is one.
    """
    leaves = {
        item.id: item
        for item in events
        if not item.is_unique and status_from_event(item, asm_group) in _LEAVING
    }
    if not leaves:
        return list(events)
    lock_list(connection)
    recorded = sa.select(event.c.sg_event_id).where(
        column_in(connection, event.c.sg_event_id, leaves)
    )
    keys_by_id = {
        id_: _find_address_keys(connection, leaves[id_], asm_group)
        for id_ in connection.scalars(recorded).all()
    }
    mailed = _find_mailed(connection, {key for keys in keys_by_id.values() for key in keys})
    repeated = {id_ for id_, keys in keys_by_id.items() if mailed & keys}
    return [_renew(item) if item.id in repeated else item for item in events]


def _find_address_keys(
    connection: sa.Connection, leave: Event, asm_group: int | None
) -> frozenset[str]:
    """Return the keys of the event's address, and of the one that the reader has moved to."""
    key = make_address_key(leave.address)
    moved = find_moved_reports(connection, [RecordedEvent(leave, key)], asm_group)
    return frozenset({key, *(make_address_key(report.address) for report in moved)} - {""})


def _find_mailed(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    query = sa.select(subscriber.c.address_key).where(
        column_in(connection, subscriber.c.address_key, set(keys)),
        subscriber.c.status.not_in(SUPPRESSED_STATUSES),
    )
    return set(connection.scalars(query))


def _renew(item: Event) -> Event:
    content = f"{item.id} {item.at.isoformat()}"
    return replace(item, id=f"sha256:{hashlib.sha256(content.encode()).hexdigest()}")
