"""Writes entries into the list; one statement for many rows, the same on both databases."""

import base64
import datetime
import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import orjson
import sqlalchemy as sa

from newsletter.db.bulk import Bulk, among, insert_new
from newsletter.db.schema import UtcTime, subscriber, suppression
from newsletter.subscribers import journal
from newsletter.subscribers.consent import SUPPRESSED, Change, transition
from newsletter.subscribers.entry import Entry
from newsletter.subscribers.erasure import erased_among, take_turns

_TOKEN_BYTES = 16


class Outcome(NamedTuple):
    """What became of some entries; the numbers add up to the entries.

    Attributes:
        new: added, by status.
        updated: had another name, other attributes, or have left since.
        unchanged: nothing to do.
        repeated: the address was in this import before, which counts.
        held: the file says active, but they have left or never confirmed: by status.
        erased: they have asked to be forgotten.
    """

    new: Counter[str]
    updated: int
    unchanged: int
    repeated: tuple[Entry, ...]
    held: Counter[str]
    erased: tuple[Entry, ...]


class _Known(NamedTuple):
    """A subscriber as the database has them."""

    id: int
    name: str
    status: str
    attributes: dict[str, str]


class ListWriter:
    """Adds entries to the list and updates it, chunk by chunk, and never lifts a suppression.

    Args:
        connection: where to write; the caller begins and commits.
        source: where the entries are from; each row gets it with its line number.
        now: the time to record, with a zone.
    """

    def __init__(self, connection: sa.Connection, source: str, now: datetime.datetime) -> None:
        self._connection = connection
        self._source = source
        self._at = now
        self._now = UtcTime().process_bind_param(now, connection.dialect)
        self._insert, self._rewrite, self._mark = _statements(connection)
        self._journal = journal.bulk(connection.dialect)
        newest: int | None = connection.scalar(sa.select(sa.func.max(subscriber.c.id)))
        self._newest = newest or 0
        # A bit for every subscriber that was there before: whether the import has had them yet.
        self._had = bytearray(self._newest // 8 + 1)

    def write(self, entries: Sequence[Entry]) -> Outcome:
        """Write some entries; the first of an address counts, but whoever has left has left."""
        take_turns(self._connection)
        first, repeated = _first(entries)
        held: Counter[str] = Counter()
        updated = unchanged = 0
        changes = _Changes([], [])
        for key, row in self._known(first.keys()).items():
            entry = first.pop(key)
            if self._has_had(row.id):
                repeated.append(entry)
                changes.add_leaving(row, entry)
            elif entry.status == "active" != row.status:
                held[row.status] += 1
            elif changes.add(row, entry):
                updated += 1
            else:
                unchanged += 1
        self._apply(changes)
        gone = erased_among(self._connection, first.keys())
        erased = tuple(first.pop(key) for key in gone)
        new = self._add(first, held)
        return Outcome(new, updated, unchanged, tuple(repeated), held, erased)

    def finish(self) -> None:
        """Tell PostgreSQL's planner how long the list is now.

        It counts by itself only minutes later, and until then reads the whole rest of the list
        for every page of the audience.
        """
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(f"ANALYZE {subscriber.name}")

    def _known(self, keys: Collection[str]) -> dict[str, _Known]:
        columns = subscriber.c
        found = (
            sa.select(
                columns.address_key,
                columns.id,
                columns.name,
                columns.status,
                sa.cast(columns.attributes, sa.Text),
            )
            .where(among(self._connection, columns.address_key, keys))
            .with_for_update()
        )
        return {
            key: _Known(id_, name, status, orjson.loads(attributes))
            for key, id_, name, status, attributes in self._connection.execute(found)
        }

    def _has_had(self, id_: int) -> bool:
        """Whether this import has had a subscriber before; from now on it has."""
        if id_ > self._newest:
            return True
        byte, bit = divmod(id_, 8)
        had = bool(self._had[byte] & 1 << bit)
        self._had[byte] |= 1 << bit
        return had

    def _add(self, entries: Mapping[str, Entry], held: Counter[str]) -> Counter[str]:
        """Insert; whom the suppression list names comes in as one who has left."""
        before = self._connection.scalar(sa.select(sa.func.max(subscriber.c.id))) or 0
        left = self._suppressed(entries.keys())
        new: Counter[str] = Counter()
        rows = []
        tokens = _tokens(len(entries))
        for (key, entry), token in zip(entries.items(), tokens, strict=True):
            status = entry.status
            if status == "active" and key in left:
                status = left[key]
                held[status] += 1
            else:
                new[status] += 1
            source = f"{self._source}:{entry.line}"
            rows.append(
                (entry.address, key, entry.name, status, _json(entry.attributes), token, source,
                 self._now, self._now)
            )  # fmt: skip
        self._insert.run(self._connection, rows)
        # Nobody else adds meanwhile, so that all above are these.
        journal.append_first(self._connection, before, journal.Origin(self._at, "import"))
        return new

    def _suppressed(self, keys: Collection[str]) -> dict[str, str]:
        found = sa.select(suppression.c.address_key, suppression.c.reason).where(
            among(self._connection, suppression.c.address_key, keys)
        )
        return {
            key: reason if reason in SUPPRESSED else "unsubscribed"
            for key, reason in self._connection.execute(found)
        }

    def _apply(self, changes: "_Changes") -> None:
        self._rewrite.run(
            self._connection,
            [(id_, name, _json(known), self._now) for id_, name, known in changes.rewritten],
        )
        self._mark.run(
            self._connection, [(id_, status, self._now) for id_, status, _ in changes.left]
        )
        self._journal.run(
            self._connection,
            [
                (id_, self._now, "imported", status, "import", f"{self._source}:{line}", "")
                for id_, status, line in changes.left
            ],
        )


class _Changes(NamedTuple):
    """What to change of subscribers that are there.

    Attributes:
        rewritten: id, name and attributes.
        left: id, status and the row that says so.
    """

    rewritten: list[tuple[int, str, dict[str, str]]]
    left: list[tuple[int, str, int]]

    def add(self, row: _Known, entry: Entry) -> bool:
        """Note what differs, if anything; a blank cell says nothing."""
        attributes = row.attributes | entry.attributes
        name = entry.name or row.name
        rewritten = (name, attributes) != (row.name, row.attributes)
        if rewritten:
            self.rewritten.append((row.id, name, attributes))
        return self.add_leaving(row, entry) or rewritten

    def add_leaving(self, row: _Known, entry: Entry) -> bool:
        """Note that they have left, if that is news."""
        status = transition(row.status, Change("imported", entry.status))
        if status == row.status:
            return False
        self.left.append((row.id, status, entry.line))
        return True


def _first(entries: Sequence[Entry]) -> tuple[dict[str, Entry], list[Entry]]:
    """The first entry of each address, and the others, which can only say that they have left."""
    first: dict[str, Entry] = {}
    repeated: list[Entry] = []
    for entry in entries:
        earlier = first.setdefault(entry.key, entry)
        if earlier is not entry:
            repeated.append(entry)
            status = transition(earlier.status, Change("imported", entry.status))
            if status != earlier.status:
                first[entry.key] = earlier._replace(status=status)
    return first, repeated


def _statements(connection: sa.Connection) -> tuple[Bulk, Bulk, Bulk]:
    """Insert; rewrite name and attributes; mark as left."""
    columns = ("address", "address_key", "name", "status", "attributes", "token", "source",
               "joined_at", "updated_at")  # fmt: skip
    add = insert_new(connection, subscriber).values(
        {column: sa.bindparam(column) for column in columns}
    )
    rewritten, marked = ("name", "attributes", "updated_at"), ("status", "updated_at")
    return (
        Bulk(add, connection.dialect, columns),
        _update(connection.dialect, rewritten),
        _update(connection.dialect, marked),
    )


def _update(dialect: sa.Dialect, columns: tuple[str, ...]) -> Bulk:
    one = sa.update(subscriber).where(subscriber.c.id == sa.bindparam("of"))
    return Bulk(
        one.values({column: sa.bindparam(column) for column in columns}), dialect, ("of", *columns)
    )


def _tokens(count: int) -> list[str]:
    """Random 128-bit tokens, fit for a URL: ``secrets.token_urlsafe(16)``, many at a time."""
    random = secrets.token_bytes(count * _TOKEN_BYTES)
    return [
        base64.urlsafe_b64encode(random[start : start + _TOKEN_BYTES]).rstrip(b"=").decode()
        for start in range(0, len(random), _TOKEN_BYTES)
    ]


def _json(attributes: dict[str, str]) -> str:
    return orjson.dumps(attributes).decode() if attributes else "{}"
