"""Insert and update many subscribers at once, with their journal.

One statement serves many rows, and the same statements serve both databases.
"""

import base64
import datetime
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from newsletter.config.tracking import TRACKED_ACTIONS
from newsletter.db.bulk import (
    BulkStatement,
    column_in,
    insert_or_ignore,
    insert_rows,
    tune_for_bulk_writes,
)
from newsletter.db.schema import UtcDateTime, subscriber, subscriber_tag, suppression
from newsletter.db.schema import journal as journal_table
from newsletter.subscribers.attribute_types import AttributeValue
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import find_erased, lock_list
from newsletter.subscribers.consent.tracking_answers import (
    answer_kind,
    record_tracking_answers,
    replay_answers,
)
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    StatusChange,
    next_status,
)
from newsletter.subscribers.importing.merge import (
    ExistingSubscriber,
    SubscriberUpdates,
    merge_duplicates,
)
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber

_UTC_TIME_TYPE = UtcDateTime()
_TOKEN_BYTES = 16
_COLUMNS = (
    "address", "address_key", "name", "status", "attributes", "token", "source", "joined_at",
    "confirmed_at", "soft_bounces", "updated_at", "paused_until", "opens_consent", "clicks_consent",
)  # fmt: skip


class BulkWriteResult(NamedTuple):
    """The result of writing some entries; the numbers add up to the number of entries.

    Attributes:
        new: number of subscribers added, by status.
        updated: number of subscribers whose name, attributes, tags or status changed.
        resubscribed: number of subscribers made active on the basis of the stated consent.
        unchanged: number of subscribers without a change.
        duplicates: entries whose address occurred earlier in this import; the earlier one counts.
        not_reactivated: number of entries that are active or pending in the file, but suppressed
            or unconfirmed in the list, by the status in the list.
        erased: entries whose address was erased on request.
    """

    new: Counter[str]
    updated: int
    resubscribed: int
    unchanged: int
    duplicates: tuple[ParsedSubscriber, ...]
    not_reactivated: Counter[str]
    erased: tuple[ParsedSubscriber, ...]


class SubscriberBulkWriter:
    """A writer that adds entries to the list and updates it, chunk by chunk.

    It makes pending, unsubscribed and bounced subscribers active only if a consent is stated, and
    never those who have complained or whose address is in the suppression list.

    Args:
        connection: the connection to write to; the caller begins and commits.
        source: where the entries come from; each row is recorded with it and its line number.
        now: the time to record, an aware datetime.
        consent: how those to be resubscribed gave their consent; ``""`` to resubscribe nobody.
        left_keys: the addresses that are suppressed in the files of one import, shared by its
            writers: no consent resubscribes those whom another file states to have left.
    """

    def __init__(
        self,
        connection: sa.Connection,
        source: str,
        now: datetime.datetime,
        consent: str = "",
        left_keys: set[str] | None = None,
    ) -> None:
        self._connection = connection
        tune_for_bulk_writes(connection)
        self._source = source
        self._recorded_at = now
        self._recorded_at_value = self._to_driver_time(now)
        self._consent = consent
        self._left_keys = set[str]() if left_keys is None else left_keys
        self._details_update = _build_update(
            connection.dialect, ("name", "attributes", "joined_at", "confirmed_at", "updated_at")
        )
        self._status_update = _build_update(connection.dialect, ("status", "updated_at"))
        self._reactivation_update = _build_update(
            connection.dialect, ("status", "updated_at", "soft_bounces", "paused_until")
        )
        self._journal_insert = journal.build_bulk_insert(connection.dialect)
        newest: int | None = connection.scalar(sa.select(sa.func.max(subscriber.c.id)))
        self._last_existing_id = newest or 0
        # One bit per subscriber who was in the list before: whether this import has seen them.
        self._seen_bits = bytearray(self._last_existing_id // 8 + 1)

    def write(self, entries: Sequence[ParsedSubscriber]) -> BulkWriteResult:
        """Write some entries; of those with the same address, the first one counts.

        Later ones can only suppress.
        """
        lock_list(self._connection)
        first, duplicates = merge_duplicates(entries)
        if self._consent:
            self._left_keys.update(
                entry.key for entry in entries if entry.status in SUPPRESSED_STATUSES
            )
        not_reactivated: Counter[str] = Counter()
        updated = unchanged = 0
        updates = SubscriberUpdates([], [], [], [], [])
        existing = self._load_existing(first)
        suppressed = self._find_suppressed(existing) if self._consent else {}
        for key, row in existing.items():
            entry = first.pop(key)
            if self._check_and_mark_seen(row.id):
                duplicates.append(entry)
                updates.add_status_change(row, entry)
                updates.add_answers(row, entry, only_refusals=True)
            elif entry.status == "active" != row.status:
                if (
                    self._consent
                    and row.status != "complained"
                    and key not in suppressed
                    and key not in self._left_keys
                ):
                    updates.add_entry(row, entry, self._to_driver_time)
                    updates.resubscribed.append((row.id, entry.line))
                    updates.withdraw_answers(row, entry)
                else:
                    not_reactivated[row.status] += 1
                    updates.add_answers(row, entry, only_refusals=True)
            elif updates.add_entry(row, entry, self._to_driver_time):
                updated += 1
            else:
                unchanged += 1
        self._apply_changes(updates)
        erased_keys = find_erased(self._connection, first.keys())
        erased = tuple(first.pop(key) for key in erased_keys)
        new = self._insert(first, not_reactivated)
        return BulkWriteResult(
            new,
            updated,
            len(updates.resubscribed),
            unchanged,
            tuple(duplicates),
            not_reactivated,
            erased,
        )

    def update_planner_statistics(self) -> None:
        """Update the statistics of PostgreSQL's planner.

        Autovacuum does so only minutes later, and until then PostgreSQL reads the whole rest of
        the list for each page of the audience.
        """
        if self._connection.dialect.name == "postgresql":
            self._connection.exec_driver_sql(f"ANALYZE {subscriber.name}, {subscriber_tag.name}")

    def _load_existing(
        self, entries: Mapping[str, ParsedSubscriber]
    ) -> dict[str, ExistingSubscriber]:
        columns = subscriber.c
        query = (
            sa.select(
                columns.address_key,
                columns.id,
                columns.name,
                columns.status,
                sa.cast(columns.attributes, sa.Text),
                sa.type_coerce(columns.joined_at, sa.types.NullType()),
                sa.type_coerce(columns.confirmed_at, sa.types.NullType()),
                columns.opens_consent,
                columns.clicks_consent,
            )
            .where(column_in(self._connection, columns.address_key, entries.keys()))
            .with_for_update()
        )
        rows = self._connection.execute(query).all()
        tags_needed = any(entries[row[0]].tags for row in rows)
        tags = self._load_tags([row[1] for row in rows]) if tags_needed else {}
        return {
            key: ExistingSubscriber(
                id_, name, status, orjson.loads(attributes), joined_at, confirmed_at,
                frozenset(tags.get(id_, ())),
                {
                    action: answer
                    for action, answer in zip(TRACKED_ACTIONS, answers, strict=True)
                    if answer is not None
                },
            )
            for key, id_, name, status, attributes, joined_at, confirmed_at, *answers in rows
        }  # fmt: skip

    def _load_tags(self, ids: Sequence[int]) -> dict[int, list[str]]:
        """Return the tags of some subscribers, by id."""
        tags: dict[int, list[str]] = {}
        query = sa.select(subscriber_tag.c.subscriber_id, subscriber_tag.c.tag).where(
            column_in(self._connection, subscriber_tag.c.subscriber_id, ids)
        )
        for id_, tag in self._connection.execute(query):
            tags.setdefault(id_, []).append(tag)
        return tags

    def _check_and_mark_seen(self, id_: int) -> bool:
        """Return whether this import has seen a subscriber before, and mark them as seen."""
        if id_ > self._last_existing_id:
            return True
        byte, bit = divmod(id_, 8)
        seen = bool(self._seen_bits[byte] & 1 << bit)
        self._seen_bits[byte] |= 1 << bit
        return seen

    def _insert(
        self, entries: Mapping[str, ParsedSubscriber], not_reactivated: Counter[str]
    ) -> Counter[str]:
        """Insert new subscribers; suppressed addresses are inserted with a suppressed status."""
        if not entries:
            return Counter()
        last_id = self._connection.scalar(sa.select(sa.func.max(subscriber.c.id))) or 0
        suppressed = self._find_suppressed(entries)
        used_tokens = self._find_used_tokens(
            entry.token for entry in entries.values() if entry.token
        )
        new: Counter[str] = Counter()
        rows = []
        for (key, entry), token in zip(
            entries.items(), _generate_tokens(len(entries)), strict=True
        ):
            status = entry.status
            if key in suppressed:
                status = next_status(status, StatusChange("imported", suppressed[key]))
            if status != entry.status and entry.status in {"active", "pending"}:
                not_reactivated[status] += 1
            else:
                new[status] += 1
            if entry.token and entry.token not in used_tokens:
                used_tokens.add(entry.token)
                token = entry.token  # noqa: PLW2901 - so that links in earlier emails keep working
            rows.append(
                (
                    entry.address,
                    key,
                    entry.name,
                    status,
                    _encode_attributes(entry.attributes),
                    token,
                    entry.source or f"{self._source}:{entry.line}",
                    self._to_driver_time(entry.joined_at)
                    if entry.joined_at
                    else self._recorded_at_value,
                    self._to_driver_time(entry.confirmed_at),
                    entry.soft_bounces,
                    self._recorded_at_value,
                    self._to_driver_time(entry.paused_until),
                    entry.opens_consent,
                    entry.clicks_consent,
                )
            )
        insert_rows(self._connection, subscriber, _COLUMNS, rows)
        # The list is locked, so all subscribers with a higher id are those just inserted.
        if any(
            entry.tags or entry.source or entry.journal or entry.tracking_answers
            for entry in entries.values()
        ):
            self._insert_tags_and_journals(entries, last_id)
        else:
            origin = journal.ChangeOrigin(self._recorded_at, "import", wording=self._consent)
            journal.append_import_entries(self._connection, last_id, origin)
        return new

    def _insert_tags_and_journals(
        self, entries: Mapping[str, ParsedSubscriber], last_id: int
    ) -> None:
        """Insert tags and imported journals of the subscribers with an id above ``last_id``."""
        columns = subscriber.c
        inserted = sa.select(columns.id, columns.address_key, columns.status).where(
            columns.id > last_id
        )
        tags: list[tuple[Any, ...]] = []
        journal_rows: list[tuple[Any, ...]] = []
        for id_, key, status in self._connection.execute(inserted):
            entry = entries[key]
            tags += [(id_, tag) for tag in entry.tags]
            journal_rows += [
                (id_, number, self._to_driver_time(journal_entry.at), *journal_entry[1:])
                for number, journal_entry in enumerate(entry.journal, 1)
            ]
            if not entry.journal or status != entry.status:
                source = f"{self._source}:{entry.line}"
                journal_rows.append(
                    (
                        id_,
                        len(entry.journal) + 1,
                        self._recorded_at_value,
                        "imported",
                        status,
                        "import",
                        source,
                        self._consent,
                    )
                )
            journal_rows += self._answer_rows(id_, entry, status, journal_rows[-1][1] + 1)
        insert_rows(self._connection, subscriber_tag, ("subscriber_id", "tag"), tags)
        names = ("subscriber_id", "seq", *journal.JournalEntry._fields)
        insert_rows(self._connection, journal_table, names, journal_rows)

    def _answer_rows(
        self, id_: int, entry: ParsedSubscriber, status: str, number: int
    ) -> list[tuple[Any, ...]]:
        """Return journal rows for the answers that the journal in the file doesn't have."""
        in_file = replay_answers(journal_entry.change for journal_entry in entry.journal)
        kinds = [
            answer_kind(action, is_allowed=answer)
            for action, answer in entry.tracking_answers.items()
            if in_file.get(action) != answer
        ]
        source = f"{self._source}:{entry.line}"
        return [
            (id_, seq, self._recorded_at_value, kind, status, "import", source, self._consent)
            for seq, kind in enumerate(kinds, number)
        ]

    def _find_suppressed(self, keys: Collection[str]) -> dict[str, str]:
        query = sa.select(suppression.c.address_key, suppression.c.reason).where(
            column_in(self._connection, suppression.c.address_key, keys)
        )
        return {
            key: reason if reason in SUPPRESSED_STATUSES else "unsubscribed"
            for key, reason in self._connection.execute(query)
        }

    def _find_used_tokens(self, tokens: Iterable[str]) -> set[str]:
        """Return which of the tokens are in use already."""
        candidates = list(tokens)
        if not candidates:
            return set()
        query = sa.select(subscriber.c.token).where(
            column_in(self._connection, subscriber.c.token, candidates)
        )
        return set(self._connection.scalars(query))

    def _apply_changes(self, updates: SubscriberUpdates) -> None:
        self._details_update.execute(
            self._connection,
            [
                (
                    row.id,
                    row.name,
                    _encode_attributes(row.attributes),
                    row.joined_at,
                    row.confirmed_at,
                    self._recorded_at_value,
                )
                for row in updates.details
            ],
        )
        tags = [{"subscriber_id": id_, "tag": tag} for id_, tag in updates.new_tags]
        if tags:
            self._connection.execute(insert_or_ignore(self._connection, subscriber_tag), tags)
        self._status_update.execute(
            self._connection,
            [(id_, status, self._recorded_at_value) for id_, status, _ in updates.status_changes],
        )
        self._reactivation_update.execute(
            self._connection,
            [(id_, "active", self._recorded_at_value, 0, None) for id_, _ in updates.resubscribed],
        )
        self._journal_insert.execute(
            self._connection,
            [
                (
                    id_,
                    self._recorded_at_value,
                    "imported",
                    status,
                    "import",
                    f"{self._source}:{line}",
                    "",
                )
                for id_, status, line in updates.status_changes
            ]
            + [
                (
                    id_,
                    self._recorded_at_value,
                    "resubscribed",
                    "active",
                    "import",
                    f"{self._source}:{line}",
                    self._consent,
                )
                for id_, line in updates.resubscribed
            ],
        )
        self._apply_answers(updates)

    def _apply_answers(self, updates: SubscriberUpdates) -> None:
        """Record what the file states about consent to tracking of subscribers in the list."""
        for row, answers, line in updates.answers:
            origin = journal.ChangeOrigin(
                self._recorded_at, "import", f"{self._source}:{line}", self._consent
            )
            record_tracking_answers(self._connection, row.id, answers, origin)

    def _to_driver_time(self, time: datetime.datetime | None) -> Any:
        """Return a time as the driver accepts it."""
        return time and _UTC_TIME_TYPE.process_bind_param(time, self._connection.dialect)


def _build_update(dialect: sa.Dialect, columns: tuple[str, ...]) -> BulkStatement:
    update = sa.update(subscriber).where(subscriber.c.id == sa.bindparam("row_id"))
    return BulkStatement(
        update.values({column: sa.bindparam(column) for column in columns}),
        dialect,
        ("row_id", *columns),
    )


def _generate_tokens(count: int) -> list[str]:
    """Return random URL-safe 128-bit tokens, like ``secrets.token_urlsafe(16)``, many at once."""
    random = secrets.token_bytes(count * _TOKEN_BYTES)
    return [
        base64.urlsafe_b64encode(random[start : start + _TOKEN_BYTES]).rstrip(b"=").decode()
        for start in range(0, len(random), _TOKEN_BYTES)
    ]


def _encode_attributes(attributes: Mapping[str, AttributeValue]) -> str:
    return orjson.dumps(attributes).decode() if attributes else "{}"
