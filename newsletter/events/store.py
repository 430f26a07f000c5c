"""Insert events into the database, each once by its ``sg_event_id``."""

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
    """A newly recorded event.

    Attributes:
        event: the event.
        address_key: the key of its address; ``""`` if it has none, or the subscriber was erased.
    """

    event: Event
    address_key: str


def record_events(connection: sa.Connection, events: Iterable[Event]) -> list[RecordedEvent]:
    """Insert the events that are not recorded yet, and return them in their order.

    Events about an erased subscriber are recorded without the address.

    Args:
        connection: in a write transaction; others that record or erase wait for its end.
        events: the events of a request, or of a part of a file.
    """
    lock_list(connection)
    unrecorded: dict[str, Event] = {}
    for item in events:
        unrecorded.setdefault(item.id, item)
    recorded = sa.select(event.c.sg_event_id).where(
        column_in(connection, event.c.sg_event_id, unrecorded)
    )
    for id_ in connection.scalars(recorded):
        del unrecorded[id_]
    new = [RecordedEvent(item, make_address_key(item.address)) for item in unrecorded.values()]
    erased = find_pseudonyms(connection, {key for _, key in new if key})
    if new:
        tune_for_bulk_writes(connection)
        on_sqlite = connection.dialect.name == "sqlite"
        insert_rows(connection, event, _COLUMNS, _event_rows(new, erased, as_text=on_sqlite))
    return [RecordedEvent(item, "" if key in erased else key) for item, key in new]


def _event_rows(
    new: Sequence[RecordedEvent], erased: Mapping[str, str], *, as_text: bool
) -> list[tuple[Any, ...]]:
    """Return the rows in the form that the database drivers expect."""
    times: dict[Any, Any] = {item.at: item.at for item, _ in new}
    if as_text:
        times = {at: at.isoformat(timespec="microseconds") for at in times}
    return [
        (
            item.id,
            item.type,
            times[item.at],
            erased.get(key, key),
            item.send_id,
            item.batch_id,
            item.attempt_number,
            is_bot_event(item),
            "{}" if key in erased else item.raw_json,
        )
        for item, key in new
    ]


def make_address_key(address: str) -> str:
    """Return the key of an address as SendGrid reports it; ``""`` if there is none."""
    if not address:
        return ""
    try:
        return parse_address(address).key
    except SubscriberListError:
        return address.casefold()
