"""Insert and delete unreadable events: each once, up to an age and size."""

import datetime
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_or_ignore, insert_rows
from newsletter.db.schema import setting, unreadable_event
from newsletter.events.unreadable_item import UnreadableItem
from newsletter.subscribers.address_mentions import find_mentions
from newsletter.subscribers.consent.erasure import find_erased, has_erasures, lock_list
from newsletter.subscribers.consent.unreadable_events import DROPPED_KEY

MAX_ROWS = 10_000
MAX_TOTAL_BYTES = 20_000_000
RETENTION = datetime.timedelta(days=90)
ERASED_REMARK = "about an erased reader, not kept"
_COLUMNS = ("received_at", "reason", "source", "body", "length", "sha256")
_NEWEST_FIRST = unreadable_event.c.id.desc()


class UnreadableEvent(NamedTuple):
    """An item that is kept.

    Attributes:
        id: its number.
        received_at: when it was received, or imported.
        reason: why it is not understood.
        source: ``webhook``, or the file and the line.
        body: its bytes; only the beginning if it is long, none if it is about an erased reader.
        length: the length of the whole in bytes.
    """

    id: int
    received_at: datetime.datetime
    reason: str
    source: str
    body: bytes
    length: int

    @property
    def is_complete(self) -> bool:
        """Whether the whole was kept."""
        return len(self.body) == self.length


class UnreadableSummary(NamedTuple):
    """How many items are kept.

    Attributes:
        total: how many.
        newest_at: when the latest was received; ``None`` if there is none.
        dropped_count: how many were deleted before their time, since there were too many.
    """

    total: int
    newest_at: datetime.datetime | None
    dropped_count: int


def record_unreadable(
    connection: sa.Connection, items: Sequence[UnreadableItem], now: datetime.datetime
) -> int:
    """Insert the items that are not kept yet; return how many.

    Of an item about an erased subscriber, only the fact that it was received is kept.

    Args:
        connection: in a write transaction.
        items: in the order in which they were received.
        now: the time to record, aware.
    """
    if not items:
        return 0
    lock_list(connection)
    by_hash = {item.sha256: item for item in items}
    known = sa.select(unreadable_event.c.sha256).where(
        column_in(connection, unreadable_event.c.sha256, by_hash)
    )
    for sha256 in connection.scalars(known):
        del by_hash[sha256]
    new = list(by_hash.values())
    kept = new[-MAX_ROWS:]
    if kept:
        insert_rows(connection, unreadable_event, _COLUMNS, _to_rows(connection, kept, now))
        _count_dropped(connection, len(new) - len(kept))
        purge_unreadable(connection, now)
    return len(new)


def purge_unreadable(connection: sa.Connection, now: datetime.datetime) -> None:
    """Delete what is too old; and the oldest, with a count, if there is too much of it."""
    table = unreadable_event
    connection.execute(sa.delete(table).where(table.c.received_at < now - RETENTION))
    total = sa.func.sum(sa.func.length(table.c.body)).over(order_by=_NEWEST_FIRST)
    number = sa.func.row_number().over(order_by=_NEWEST_FIRST)
    ranked = sa.select(table.c.id, total.label("total"), number.label("number")).subquery()
    excess = sa.select(sa.func.max(ranked.c.id)).where(
        sa.or_(ranked.c.total > MAX_TOTAL_BYTES, ranked.c.number > MAX_ROWS)
    )
    newest_excess = connection.scalar(excess)
    if newest_excess is not None:
        deleted = connection.execute(sa.delete(table).where(table.c.id <= newest_excess))
        _count_dropped(connection, deleted.rowcount)


def summarize_unreadable(connection: sa.Connection) -> UnreadableSummary:
    """Return how many items are kept, and how many were dropped."""
    query = sa.select(sa.func.count(), sa.func.max(unreadable_event.c.received_at))
    total, newest_at = connection.execute(query).one()
    dropped = connection.scalar(sa.select(setting.c.value).where(setting.c.key == DROPPED_KEY))
    return UnreadableSummary(total, newest_at, int(dropped or 0))


def load_unreadable(
    connection: sa.Connection, limit: int, *, before_id: int | None = None
) -> list[UnreadableEvent]:
    """Return the latest items first.

    Args:
        connection: in a transaction.
        limit: how many at most.
        before_id: only those with a smaller id.
    """
    columns = [unreadable_event.c[name] for name in UnreadableEvent._fields]
    query = sa.select(*columns).order_by(_NEWEST_FIRST).limit(limit)
    if before_id is not None:
        query = query.where(unreadable_event.c.id < before_id)
    return [UnreadableEvent(*row) for row in connection.execute(query)]


def delete_unreadable(connection: sa.Connection, ids: Collection[int]) -> None:
    """Delete items, since they have been understood now."""
    table = unreadable_event
    connection.execute(sa.delete(table).where(column_in(connection, table.c.id, ids)))


def _to_rows(
    connection: sa.Connection, items: Sequence[UnreadableItem], now: datetime.datetime
) -> list[tuple[Any, ...]]:
    """Return the rows in the form that the database drivers expect."""
    mentioned = [frozenset[str]()] * len(items)
    if has_erasures(connection):
        mentioned = [frozenset().union(*find_mentions(item.body)) for item in items]
    erased = find_erased(connection, frozenset().union(*mentioned)).keys()
    now = now.astimezone(datetime.UTC)
    on_sqlite = connection.dialect.name == "sqlite"
    received_at = now.isoformat(timespec="microseconds") if on_sqlite else now
    rows = []
    for item, keys in zip(items, mentioned, strict=True):
        reason, body = item.reason, item.body
        if keys & erased:
            reason, body = f"{reason} ({ERASED_REMARK})", b""
        rows.append((received_at, reason, item.source, body, item.length, item.sha256))
    return rows


def _count_dropped(connection: sa.Connection, count: int) -> None:
    if not count:
        return
    row = {"key": DROPPED_KEY, "value": "0"}
    connection.execute(insert_or_ignore(connection, setting).values(row))
    number = sa.cast(sa.cast(setting.c.value, sa.BigInteger) + count, sa.Text)
    connection.execute(sa.update(setting).where(setting.c.key == DROPPED_KEY).values(value=number))
