"""Insert new subscribers in bulk, with their tags and journals."""

import base64
import datetime
import secrets
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_rows
from newsletter.db.schema import UtcDateTime, subscriber, subscriber_tag, suppression
from newsletter.db.schema import journal as journal_table
from newsletter.subscribers.attribute_types import AttributeValue
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.tracking_answers import answer_kind, replay_answers
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    StatusChange,
    next_status,
)
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber
from newsletter.subscribers.topics import IS_FROM_ALL

_UTC_TIME_TYPE = UtcDateTime()
_TOKEN_BYTES = 16
_COLUMNS = (
    "address", "address_key", "name", "status", "attributes", "token", "source", "joined_at",
    "confirmed_at", "soft_bounces", "updated_at", "paused_until", "opens_consent", "clicks_consent",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SubscriberInserter:
    """An inserter of entries whose addresses are not in the list, which the caller has locked.

    Attributes:
        connection: the connection to write to; the caller begins and commits.
        source: where the entries come from.
        now: the time to record.
        consent: how those to be resubscribed gave their consent, or ``""``.
    """

    connection: sa.Connection
    source: str
    now: datetime.datetime
    consent: str

    def insert(
        self, entries: Mapping[str, ParsedSubscriber], not_reactivated: Counter[str]
    ) -> Counter[str]:
        """Insert new subscribers; suppressed addresses are inserted with a suppressed status.

        Args:
            entries: the entries, by the key of the address.
            not_reactivated: counts those who are active or pending in the file only.

        Returns:
            How many of the others were inserted, by status.
        """
        if not entries:
            return Counter()
        last_id = self.connection.scalar(sa.select(sa.func.max(subscriber.c.id))) or 0
        suppressed = find_suppressed(self.connection, entries)
        used_tokens = self._find_used_tokens(
            [entry.token for entry in entries.values() if entry.token]
        )
        new: Counter[str] = Counter()
        now = self._to_driver_time(self.now)
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
                    encode_attributes(entry.attributes),
                    token,
                    entry.source or f"{self.source}:{entry.line}",
                    self._to_driver_time(entry.joined_at) if entry.joined_at else now,
                    self._to_driver_time(entry.confirmed_at),
                    entry.soft_bounces,
                    now,
                    self._to_driver_time(entry.paused_until),
                    entry.opens_consent,
                    entry.clicks_consent,
                )
            )
        insert_rows(self.connection, subscriber, _COLUMNS, rows)
        # The list is locked, so all subscribers with a higher id are those just inserted.
        if any(
            entry.tags or entry.source or entry.journal or entry.tracking_answers
            for entry in entries.values()
        ):
            self._insert_tags_and_journals(entries, last_id)
        else:
            origin = journal.ChangeOrigin(self.now, "import", wording=self.consent)
            journal.append_import_entries(self.connection, last_id, origin)
        return new

    def _insert_tags_and_journals(
        self, entries: Mapping[str, ParsedSubscriber], last_id: int
    ) -> None:
        """Insert tags and imported journals of the subscribers with an id above ``last_id``."""
        columns = subscriber.c
        inserted = sa.select(columns.id, columns.address_key, columns.status).where(
            columns.id > last_id
        )
        now = self._to_driver_time(self.now)
        tags: list[tuple[Any, ...]] = []
        journal_rows: list[tuple[Any, ...]] = []
        for id_, key, status in self.connection.execute(inserted):
            entry = entries[key]
            tags += [(id_, tag) for tag in entry.tags]
            journal_rows += [
                (id_, number, self._to_driver_time(journal_entry.at), *journal_entry[1:])
                for number, journal_entry in enumerate(entry.journal, 1)
            ]
            source, changes = f"{self.source}:{entry.line}", _list_changes(entry, status)
            journal_rows += [
                (id_, number, now, change, status, "import", source, self.consent)
                for number, change in enumerate(changes, len(entry.journal) + 1)
            ]
        insert_rows(self.connection, subscriber_tag, ("subscriber_id", "tag"), tags)
        names = ("subscriber_id", "seq", *journal.JournalEntry._fields)
        insert_rows(self.connection, journal_table, names, journal_rows)

    def _find_used_tokens(self, tokens: Collection[str]) -> set[str]:
        """Return which of the tokens are in use already."""
        if not tokens:
            return set()
        query = sa.select(subscriber.c.token).where(
            column_in(self.connection, subscriber.c.token, tokens)
        )
        return set(self.connection.scalars(query))

    def _to_driver_time(self, time: datetime.datetime | None) -> Any:
        return to_driver_time(self.connection, time)


def find_suppressed(connection: sa.Connection, keys: Collection[str]) -> dict[str, str]:
    """Return the suppressed ones of some addresses, with the status that each is to have."""
    query = sa.select(suppression.c.address_key, suppression.c.reason).where(
        column_in(connection, suppression.c.address_key, keys), IS_FROM_ALL
    )
    return {
        key: reason if reason in SUPPRESSED_STATUSES else "unsubscribed"
        for key, reason in connection.execute(query)
    }


def to_driver_time(connection: sa.Connection, time: datetime.datetime | None) -> Any:
    """Return a time as the driver accepts it."""
    return time and _UTC_TIME_TYPE.process_bind_param(time, connection.dialect)


def encode_attributes(attributes: Mapping[str, AttributeValue]) -> str:
    """Return a subscriber's attributes as the driver accepts them."""
    return orjson.dumps(attributes).decode() if attributes else "{}"


def _list_changes(entry: ParsedSubscriber, status: str) -> list[str]:
    """Return the kinds of journal entries that a new subscriber needs after those in the file."""
    in_file = replay_answers(journal_entry.change for journal_entry in entry.journal)
    answers = [
        answer_kind(action, is_allowed=answer)
        for action, answer in entry.tracking_answers.items()
        if in_file.get(action) != answer
    ]
    is_complete = entry.journal and status == entry.status
    return answers if is_complete else ["imported", *answers]


def _generate_tokens(count: int) -> list[str]:
    """Return random URL-safe 128-bit tokens, like ``secrets.token_urlsafe(16)``, many at once."""
    random = secrets.token_bytes(count * _TOKEN_BYTES)
    return [
        base64.urlsafe_b64encode(random[start : start + _TOKEN_BYTES]).rstrip(b"=").decode()
        for start in range(0, len(random), _TOKEN_BYTES)
    ]
