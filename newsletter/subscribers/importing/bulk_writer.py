"""Writes entries into the list; one statement for many rows, the same on both databases."""

import base64
import datetime
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from newsletter.db.bulk import Bulk, among, expect_many, insert_new, insert_rows
from newsletter.db.schema import UtcTime, subscriber, subscriber_tag, suppression
from newsletter.db.schema import journal as journal_table
from newsletter.subscribers.attribute_types import Value
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import erased_among, take_turns
from newsletter.subscribers.consent.transitions import SUPPRESSED
from newsletter.subscribers.importing.merge import Changes, Known, first_of_each
from newsletter.subscribers.importing.rows.row_parser import Entry

_TIME = UtcTime()
_TOKEN_BYTES = 16
_COLUMNS = (
    "address", "address_key", "name", "status", "attributes", "token", "source", "joined_at",
    "confirmed_at", "soft_bounces", "updated_at", "paused_until",
)  # fmt: skip


class Outcome(NamedTuple):
    """What became of some entries; the numbers add up to the entries.

    Attributes:
        new: added, by status.
        updated: had another name, other attributes or tags, or have left since.
        returned: had left, and are back by the consent stated.
        unchanged: nothing to do.
        repeated: the address was in this import before, which counts.
        held: the file says active, but they have left or never confirmed: by status.
        erased: they have asked to be forgotten.
    """

    new: Counter[str]
    updated: int
    returned: int
    unchanged: int
    repeated: tuple[Entry, ...]
    held: Counter[str]
    erased: tuple[Entry, ...]


class ListWriter:
    """Adds entries to the list and updates it, chunk by chunk.

    It lifts no suppression, but of those who have left (not: complained) if a consent is stated.

    Args:
        connection: where to write; the caller begins and commits.
        source: where the entries are from; each row gets it with its line number.
        now: the time to record, with a zone.
        consent: where the consent comes from of those who come back; ``""`` if nobody does.
    """

    def __init__(
        self, connection: sa.Connection, source: str, now: datetime.datetime, consent: str = ""
    ) -> None:
        self._connection = connection
        expect_many(connection)
        self._source = source
        self._at = now
        self._now = self._bound(now)
        self._consent = consent
        self._rewrite = _update(
            connection.dialect, ("name", "attributes", "joined_at", "confirmed_at", "updated_at")
        )
        self._mark = _update(connection.dialect, ("status", "updated_at"))
        self._lift = _update(connection.dialect, ("status", "updated_at", "soft_bounces"))
        self._journal = journal.bulk(connection.dialect)
        newest: int | None = connection.scalar(sa.select(sa.func.max(subscriber.c.id)))
        self._newest = newest or 0
        # A bit for every subscriber that was there before: whether the import has had them yet.
        self._had = bytearray(self._newest // 8 + 1)

    def write(self, entries: Sequence[Entry]) -> Outcome:
        """Write some entries; the first of an address counts, but whoever has left has left."""
        take_turns(self._connection)
        first, repeated = first_of_each(entries)
        held: Counter[str] = Counter()
        updated = unchanged = 0
        changes = Changes([], [], [], [])
        known = self._known(first)
        left = self._suppressed(known) if self._consent else {}
        for key, row in known.items():
            entry = first.pop(key)
            if self._has_had(row.id):
                repeated.append(entry)
                changes.add_leaving(row, entry)
            elif entry.status == "active" != row.status:
                if self._consent and row.status != "complained" and key not in left:
                    changes.add(row, entry, self._bound)
                    changes.returned.append((row.id, entry.line))
                else:
                    held[row.status] += 1
            elif changes.add(row, entry, self._bound):
                updated += 1
            else:
                unchanged += 1
        self._apply(changes)
        gone = erased_among(self._connection, first.keys())
        erased = tuple(first.pop(key) for key in gone)
        new = self._add(first, held)
        returned = len(changes.returned)
        return Outcome(new, updated, returned, unchanged, tuple(repeated), held, erased)

    def finish(self) -> None:
        """Tell PostgreSQL's planner how long the list is now.

        It counts by itself only minutes later, and until then reads the whole rest of the list
        for every page of the audience.
        """
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(f"ANALYZE {subscriber.name}, {subscriber_tag.name}")

    def _known(self, entries: Mapping[str, Entry]) -> dict[str, Known]:
        columns = subscriber.c
        found = (
            sa.select(
                columns.address_key,
                columns.id,
                columns.name,
                columns.status,
                sa.cast(columns.attributes, sa.Text),
                sa.type_coerce(columns.joined_at, sa.types.NullType()),
                sa.type_coerce(columns.confirmed_at, sa.types.NullType()),
            )
            .where(among(self._connection, columns.address_key, entries.keys()))
            .with_for_update()
        )
        rows = self._connection.execute(found).all()
        tagged = any(entries[row[0]].tags for row in rows)
        tags = self._tags([row[1] for row in rows]) if tagged else {}
        return {
            key: Known(
                id_, name, status, orjson.loads(attributes), joined_at, confirmed_at,
                frozenset(tags.get(id_, ())),
            )
            for key, id_, name, status, attributes, joined_at, confirmed_at in rows
        }  # fmt: skip

    def _tags(self, ids: Sequence[int]) -> dict[int, list[str]]:
        """What some subscribers are tagged with."""
        found: dict[int, list[str]] = {}
        mine = sa.select(subscriber_tag.c.subscriber_id, subscriber_tag.c.tag).where(
            among(self._connection, subscriber_tag.c.subscriber_id, ids)
        )
        for id_, tag in self._connection.execute(mine):
            found.setdefault(id_, []).append(tag)
        return found

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
        if not entries:
            return Counter()
        before = self._connection.scalar(sa.select(sa.func.max(subscriber.c.id))) or 0
        left = self._suppressed(entries)
        taken = self._taken(entry.token for entry in entries.values() if entry.token)
        new: Counter[str] = Counter()
        rows = []
        for (key, entry), token in zip(entries.items(), _tokens(len(entries)), strict=True):
            status = entry.status
            if status == "active" and key in left:
                status = left[key]
                held[status] += 1
            else:
                new[status] += 1
            if entry.token and entry.token not in taken:
                taken.add(entry.token)
                token = entry.token  # noqa: PLW2901 - the links in old mails lead here
            rows.append(
                (entry.address, key, entry.name, status, _json(entry.attributes), token,
                 entry.source or f"{self._source}:{entry.line}",
                 self._bound(entry.joined_at) if entry.joined_at else self._now,
                 self._bound(entry.confirmed_at), entry.soft_bounces, self._now,
                 self._bound(entry.paused_until))
            )  # fmt: skip
        insert_rows(self._connection, subscriber, _COLUMNS, rows)
        # Nobody else adds meanwhile, so that all above are these.
        if any(entry.tags or entry.source or entry.journal for entry in entries.values()):
            self._add_more(entries, before)
        else:
            origin = journal.Origin(self._at, "import", wording=self._consent)
            journal.append_first(self._connection, before, origin)
        return new

    def _add_more(self, entries: Mapping[str, Entry], before: int) -> None:
        """Tags, and journals that don't begin with the source."""
        columns = subscriber.c
        added = sa.select(columns.id, columns.address_key, columns.status).where(
            columns.id > before
        )
        tags: list[tuple[Any, ...]] = []
        lines: list[tuple[Any, ...]] = []
        for id_, key, status in self._connection.execute(added):
            entry = entries[key]
            tags += [(id_, tag) for tag in entry.tags]
            lines += [
                (id_, number, self._bound(line.at), *line[1:])
                for number, line in enumerate(entry.journal, 1)
            ]
            if not entry.journal or status != entry.status:
                source = f"{self._source}:{entry.line}"
                lines.append(
                    (id_, len(entry.journal) + 1, self._now, "imported", status, "import", source,
                     self._consent)
                )  # fmt: skip
        insert_rows(self._connection, subscriber_tag, ("subscriber_id", "tag"), tags)
        names = ("subscriber_id", "n", *journal.Line._fields)
        insert_rows(self._connection, journal_table, names, lines)

    def _suppressed(self, keys: Collection[str]) -> dict[str, str]:
        found = sa.select(suppression.c.address_key, suppression.c.reason).where(
            among(self._connection, suppression.c.address_key, keys)
        )
        return {
            key: reason if reason in SUPPRESSED else "unsubscribed"
            for key, reason in self._connection.execute(found)
        }

    def _taken(self, tokens: Iterable[str]) -> set[str]:
        """Which of the tokens some subscriber has already."""
        wanted = list(tokens)
        if not wanted:
            return set()
        found = sa.select(subscriber.c.token).where(
            among(self._connection, subscriber.c.token, wanted)
        )
        return set(self._connection.scalars(found))

    def _apply(self, changes: Changes) -> None:
        self._rewrite.run(
            self._connection,
            [
                (row.id, row.name, _json(row.attributes), row.joined_at, row.confirmed_at,
                 self._now)
                for row in changes.rewritten
            ],
        )  # fmt: skip
        tags = [{"subscriber_id": id_, "tag": tag} for id_, tag in changes.tagged]
        if tags:
            self._connection.execute(insert_new(self._connection, subscriber_tag), tags)
        self._mark.run(
            self._connection, [(id_, status, self._now) for id_, status, _ in changes.left]
        )
        self._lift.run(
            self._connection, [(id_, "active", self._now, 0) for id_, _ in changes.returned]
        )
        self._journal.run(
            self._connection,
            [
                (id_, self._now, "imported", status, "import", f"{self._source}:{line}", "")
                for id_, status, line in changes.left
            ]
            + [
                (id_, self._now, "resubscribed", "active", "import", f"{self._source}:{line}",
                 self._consent)
                for id_, line in changes.returned
            ],
        )  # fmt: skip

    def _bound(self, time: datetime.datetime | None) -> Any:  # as the driver takes it
        return time and _TIME.process_bind_param(time, self._connection.dialect)


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


def _json(attributes: Mapping[str, Value]) -> str:
    return orjson.dumps(attributes).decode() if attributes else "{}"
