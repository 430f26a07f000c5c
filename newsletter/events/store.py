"""Writes events down, each once: by ``sg_event_id``, however often it comes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_rows, tune_for_bulk_writes
from newsletter.db.schema import event
from newsletter.errors import SubscriberListError
from newsletter.events.bots import is_bot_event
from newsletter.events.parse import Event
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent.erasure import find_pseudonyms, lock_list

_COLUMNS = (
    "sg_event_id", "type", "at", "address_key", "send_id", "batch_id", "attempt_number", "is_bot",
    "raw",
)  # fmt: skip


class RecordedEvent(NamedTuple):
    """An event that was not on record before.

    Attributes:
        event: itself.
        address_key: its address as a key; ``""`` if it has none, or its owner was erased.
    """

    event: Event
    address_key: str


def record_events(connection: sa.Connection, events: Iterable[Event]) -> list[RecordedEvent]:
    """Write down the events that are not on record yet, and return them in their own order.

    What SendGrid still reports of somebody who was erased is kept without its address.

    Args:
        connection: in a transaction that writes; others that record or erase wait for its end.
        events: of a request, or a part of a file.
    """
    lock_list(connection)
    once: dict[str, Event] = {}
    for each in events:
        once.setdefault(each.id, each)
    known = sa.select(event.c.sg_event_id).where(column_in(connection, event.c.sg_event_id, once))
    for id_ in connection.scalars(known):
        del once[id_]
    new = [RecordedEvent(each, _address_key(each.address)) for each in once.values()]
    erased = find_pseudonyms(connection, {key for _, key in new if key})
    if new:
        tune_for_bulk_writes(connection)
        on_sqlite = connection.dialect.name == "sqlite"
        insert_rows(connection, event, _COLUMNS, _event_rows(new, erased, as_text=on_sqlite))
    return [RecordedEvent(each, "" if key in erased else key) for each, key in new]


def _event_rows(
    new: Sequence[RecordedEvent], erased: Mapping[str, str], *, as_text: bool
) -> list[tuple[Any, ...]]:
    """What the drivers take."""
    times: dict[Any, Any] = {each.at: each.at for each, _ in new}
    if as_text:
        times = {at: at.isoformat(timespec="microseconds") for at in times}
    return [
        (
            each.id,
            each.type,
            times[each.at],
            erased.get(key, key),
            each.send_id,
            each.batch_id,
            each.attempt_number,
            is_bot_event(each),
            "{}" if key in erased else each.raw_json,
        )
        for each, key in new
    ]


def _address_key(address: str) -> str:
    if not address:
        return ""
    try:
        return parse_address(address).key
    except SubscriberListError:
        return address.casefold()
