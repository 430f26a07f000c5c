"""Insert and update many subscribers at once, with their journal.

One statement serves many rows, and the same statements serve both databases.
"""

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from newsletter.config.tracking import TRACKED_ACTIONS
from newsletter.db.bulk import BulkStatement, column_in, insert_or_ignore, tune_for_bulk_writes
from newsletter.db.schema import subscriber, subscriber_tag
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import find_erased, lock_list
from newsletter.subscribers.consent.tracking_answers import record_tracking_answers
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES
from newsletter.subscribers.importing.insert_subscribers import (
    SubscriberInserter,
    encode_attributes,
    find_suppressed,
    to_driver_time,
)
from newsletter.subscribers.importing.merge import (
    ExistingSubscriber,
    SubscriberUpdates,
    merge_duplicates,
)
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber
from newsletter.subscribers.topics import add_opt_outs, load_opted_out_topics


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
        self._consent = consent
        self._inserter = SubscriberInserter(connection, source, now, consent)
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
        newly_opted_out = self._find_newly_opted_out(entries, existing)
        suppressed = find_suppressed(self._connection, existing) if self._consent else {}
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
            elif updates.add_entry(row, entry, self._to_driver_time) or key in newly_opted_out:
                updated += 1
            else:
                unchanged += 1
        self._apply_changes(updates)
        erased_keys = find_erased(self._connection, first.keys())
        erased = tuple(first.pop(key) for key in erased_keys)
        new = self._inserter.insert(first, not_reactivated)
        self._add_opt_outs(entry for entry in entries if entry.key not in erased_keys)
        return BulkWriteResult(
            new,
            updated,
            len(updates.resubscribed),
            unchanged,
            tuple(duplicates),
            not_reactivated,
            erased,
        )

    def _find_newly_opted_out(
        self, entries: Sequence[ParsedSubscriber], keys: Collection[str]
    ) -> set[str]:
        """Return which of the existing subscribers opt out of another topic by the file."""
        stated = [entry for entry in entries if entry.opted_out and entry.key in keys]
        known = load_opted_out_topics(self._connection, {entry.key for entry in stated})
        return {
            entry.key
            for entry in stated
            if not {topic.casefold() for topic in entry.opted_out} <= {*known.get(entry.key, ())}
        }

    def _add_opt_outs(self, entries: Iterable[ParsedSubscriber]) -> None:
        add_opt_outs(
            self._connection,
            (
                (entry.key, topic, self._recorded_at, f"{self._source}:{entry.line}")
                for entry in entries
                for topic in entry.opted_out
            ),
        )

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

    def _apply_changes(self, updates: SubscriberUpdates) -> None:
        now = self._to_driver_time(self._recorded_at)
        self._details_update.execute(
            self._connection,
            [
                (
                    row.id,
                    row.name,
                    encode_attributes(row.attributes),
                    row.joined_at,
                    row.confirmed_at,
                    now,
                )
                for row in updates.details
            ],
        )
        tags = [{"subscriber_id": id_, "tag": tag} for id_, tag in updates.new_tags]
        if tags:
            self._connection.execute(insert_or_ignore(self._connection, subscriber_tag), tags)
        self._status_update.execute(
            self._connection,
            [(id_, status, now) for id_, status, _ in updates.status_changes],
        )
        self._reactivation_update.execute(
            self._connection,
            [(id_, "active", now, 0, None) for id_, _ in updates.resubscribed],
        )
        changes = [
            *((id_, "imported", status, line, "") for id_, status, line in updates.status_changes),
            *(
                (id_, "resubscribed", "active", line, self._consent)
                for id_, line in updates.resubscribed
            ),
        ]
        self._journal_insert.execute(
            self._connection,
            [
                (id_, now, change, status, "import", f"{self._source}:{line}", wording)
                for id_, change, status, line, wording in changes
            ],
        )
        for row, answers, line in updates.answers:
            origin = journal.ChangeOrigin(
                self._recorded_at, "import", f"{self._source}:{line}", self._consent
            )
            record_tracking_answers(self._connection, row.id, answers, origin)

    def _to_driver_time(self, time: datetime.datetime | None) -> Any:
        return to_driver_time(self._connection, time)


def _build_update(dialect: sa.Dialect, columns: tuple[str, ...]) -> BulkStatement:
    update = sa.update(subscriber).where(subscriber.c.id == sa.bindparam("row_id"))
    return BulkStatement(
        update.values({column: sa.bindparam(column) for column in columns}),
        dialect,
        ("row_id", *columns),
    )
