"""Append to and read the consent journal: changes of status, and why.

The journal is append-only: when, how and on what basis each status changed.
"""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import BulkStatement
from newsletter.db.schema import journal, subscriber
from newsletter.subscribers.consent.transitions import StatusChange


class JournalEntry(NamedTuple):
    """One entry of the journal.

    Attributes:
        at: when, in UTC.
        change: one of ``newsletter.db.schema.CHANGE_KINDS``.
        status: the status after the change.
        method: as in ``ChangeOrigin``.
        source: as in ``ChangeOrigin``.
        wording: as in ``ChangeOrigin``.
    """

    at: datetime.datetime
    change: str
    status: str
    method: str
    source: str = ""
    wording: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as in exports, where the method is called ``how``."""
        return {
            ("how" if name == "method" else name): value for name, value in self._asdict().items()
        }


class ChangeOrigin(NamedTuple):
    """When and how a change was made, and on what basis.

    Attributes:
        at: when; an aware datetime.
        method: one of ``newsletter.db.schema.CHANGE_METHODS``.
        source: where it was made: ``readers.csv:14``, the URL of a page, the provider's event.
        wording: what the subscriber consented to, or how they consented as stated by the editor.
    """

    at: datetime.datetime
    method: str
    source: str = ""
    wording: str = ""

    def to_entry(self, change: str, status: str) -> JournalEntry:
        """Return the journal entry of a change that led to ``status``."""
        return JournalEntry(self.at, change, status, self.method, self.source, self.wording)


_ENTRY_FIELDS = JournalEntry._fields
# Constants are literal SQL: all parameters of a ``BulkStatement`` come from its rows.
_next_number = sa.select(sa.literal_column("coalesce(max(seq), 0) + 1", sa.Integer)).select_from(
    journal
)
_insert_entry = sa.insert(journal).values(
    seq=_next_number.where(journal.c.subscriber_id == sa.bindparam("owner_id")).scalar_subquery()
)


def append_entry(connection: sa.Connection, subscriber_id: int, entry: JournalEntry) -> None:
    """Append one entry; the caller must have locked the subscriber's row, or numbers may clash."""
    values = {"subscriber_id": subscriber_id, "owner_id": subscriber_id, **entry._asdict()}
    connection.execute(_insert_entry, values)


def load_journal(connection: sa.Connection, subscriber_id: int) -> list[JournalEntry]:
    """Return all entries of one subscriber, the oldest first."""
    query = (
        sa.select(*(journal.c[name] for name in _ENTRY_FIELDS))
        .where(journal.c.subscriber_id == subscriber_id)
        .order_by(journal.c.seq)
    )
    return [JournalEntry(*row) for row in connection.execute(query)]


def to_changes(entries: Sequence[JournalEntry]) -> list[StatusChange]:
    """Return the entries as changes, to replay with ``transitions.replay_status``."""
    return [StatusChange(entry.change, entry.status) for entry in entries]


def append_import_entries(connection: sa.Connection, after: int, origin: ChangeOrigin) -> None:
    """Append an entry ``imported`` for each subscriber with an id above ``after``.

    The source of each entry is that of its subscriber, not the one of ``origin``.
    """
    values: dict[str, Any] = {
        "subscriber_id": subscriber.c.id,
        "seq": sa.literal(1),
        "at": sa.literal(origin.at, journal.c.at.type),
        "change": sa.literal("imported"),
        "status": subscriber.c.status,
        "method": sa.literal(origin.method),
        "source": subscriber.c.source,
        "wording": sa.literal(origin.wording),
    }
    rows = sa.select(*values.values()).where(subscriber.c.id > after)
    connection.execute(sa.insert(journal).from_select(list(values), rows))


def build_bulk_insert(dialect: sa.Dialect) -> BulkStatement:
    """Return a statement that appends entries of many subscribers: rows (subscriber id, *entry)."""
    names = ("owner_id", *_ENTRY_FIELDS)
    is_owner = journal.c.subscriber_id == sa.bindparam("owner_id")
    number = _next_number.where(is_owner).scalar_subquery()
    values: dict[str, Any] = {name: sa.bindparam(name) for name in _ENTRY_FIELDS}
    values |= {"subscriber_id": sa.bindparam("owner_id"), "seq": number}
    return BulkStatement(sa.insert(journal).values(values), dialect, names)
