"""Find and delete the unreadable events that mention an address."""

import datetime
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in
from newsletter.db.schema import unreadable_event
from newsletter.subscribers.address_mentions import find_mentions, mentions_address

# The setting that counts the rows deleted before their time, since there were too many.
DROPPED_KEY = "unreadable_events_dropped"
OTHERS_REMARK = "(not shown: it mentions other addresses too)"
_CHUNK_SIZE = 500


class UnreadableMention(NamedTuple):
    """A row that mentions a subscriber.

    Attributes:
        received_at: when it was received.
        source: ``webhook``, or the file and the line.
        text: the row; a remark instead if it mentions others too, who are nobody else's business.
    """

    received_at: datetime.datetime
    source: str
    text: str


def delete_mentions(connection: sa.Connection, key: str) -> int:
    """Delete the rows that mention an address, given as a key; return how many."""
    ids = [id_ for id_, body in _iter_bodies(connection) if mentions_address(body, key)]
    if ids:
        table = unreadable_event
        connection.execute(sa.delete(table).where(column_in(connection, table.c.id, ids)))
    return len(ids)


def load_mentions(connection: sa.Connection, key: str) -> tuple[UnreadableMention, ...]:
    """Return the rows that mention an address, given as a key; the latest first."""
    table = unreadable_event
    ids = {id_: body for id_, body in _iter_bodies(connection) if mentions_address(body, key)}
    query = (
        sa.select(table.c.id, table.c.received_at, table.c.source)
        .where(column_in(connection, table.c.id, ids))
        .order_by(table.c.id.desc())
    )
    return tuple(
        UnreadableMention(received_at, source, _format_text(ids[id_], key))
        for id_, received_at, source in connection.execute(query)
    )


def _iter_bodies(connection: sa.Connection) -> list[tuple[int, bytes]]:
    rows = connection.execute(sa.select(unreadable_event.c.id, unreadable_event.c.body))
    return [(id_, body) for id_, body in rows]


def _format_text(body: bytes, key: str) -> str:
    if all(key in keys for keys in find_mentions(body)):
        return body.decode("utf-8", "backslashreplace")
    return OTHERS_REMARK
