"""The consent journal: every change of a status, append-only.

When, how, from where, and to which wording somebody agreed.
"""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import BulkStatement
from newsletter.db.schema import journal, subscriber
from newsletter.subscribers.consent.transitions import StatusChange


class JournalEntry(NamedTuple):
    """One line of the journal.

    Attributes:
        at: when, in UTC.
        change: one of ``newsletter.db.schema.CHANGES``.
        status: what the change made the status.
        method: see ``ChangeOrigin``, as for the rest.
    """

    at: datetime.datetime
    change: str
    status: str
    method: str
    source: str = ""
    wording: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as exports have it, where the method is called ``how``."""
        return {
            ("how" if name == "method" else name): value for name, value in self._asdict().items()
        }


class ChangeOrigin(NamedTuple):
    """When a change was made, and where it comes from.

    Attributes:
        at: when, with a zone.
        method: one of ``newsletter.db.schema.CHANGE_METHODS``.
        source: ``readers.csv:14``, the address of a page, the vendor's event.
        wording: what the reader agreed to, or where the editor says that they did.
    """

    at: datetime.datetime
    method: str
    source: str = ""
    wording: str = ""

    def to_entry(self, change: str, status: str) -> JournalEntry:
        """The journal's line for a change that led to ``status``."""
        return JournalEntry(self.at, change, status, self.method, self.source, self.wording)


_ENTRY_FIELDS = JournalEntry._fields
# Numbers in the text: a statement for many rows has no place for constants.
_next_number = sa.select(sa.literal_column("coalesce(max(seq), 0) + 1", sa.Integer)).select_from(
    journal
)
_insert_entry = sa.insert(journal).values(
    seq=_next_number.where(journal.c.subscriber_id == sa.bindparam("whose")).scalar_subquery()
)


def append_entry(connection: sa.Connection, subscriber_id: int, entry: JournalEntry) -> None:
    """Write one line; the caller holds the subscriber's row, so that none takes its number."""
    values = {"subscriber_id": subscriber_id, "whose": subscriber_id, **entry._asdict()}
    connection.execute(_insert_entry, values)


def load_journal(connection: sa.Connection, subscriber_id: int) -> list[JournalEntry]:
    """All lines of one subscriber, the oldest first."""
    mine = (
        sa.select(*(journal.c[name] for name in _ENTRY_FIELDS))
        .where(journal.c.subscriber_id == subscriber_id)
        .order_by(journal.c.seq)
    )
    return [JournalEntry(*row) for row in connection.execute(mine)]


def to_changes(entries: Sequence[JournalEntry]) -> list[StatusChange]:
    """The lines as ``newsletter.subscribers.consent.transitions`` counts them up."""
    return [StatusChange(line.change, line.status) for line in entries]


def append_import_entries(connection: sa.Connection, after: int, origin: ChangeOrigin) -> None:
    """Write ``imported`` for every subscriber whose id is above ``after``, with their source."""
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
    first = sa.select(*values.values()).where(subscriber.c.id > after)
    connection.execute(sa.insert(journal).from_select(list(values), first))


def build_bulk_insert(dialect: sa.Dialect) -> BulkStatement:
    """A statement that writes lines of many subscribers, each row (subscriber id, *line)."""
    names = ("of", *_ENTRY_FIELDS)
    number = _next_number.where(journal.c.subscriber_id == sa.bindparam("of")).scalar_subquery()
    values: dict[str, Any] = {name: sa.bindparam(name) for name in _ENTRY_FIELDS}
    values |= {"subscriber_id": sa.bindparam("of"), "seq": number}
    return BulkStatement(sa.insert(journal).values(values), dialect, names)
