"""Carry unsubscribes, suppressions and erasures over to a restored list.

Nobody who has been suppressed or erased since the backup may be mailed again because it was
restored. The functions work on a connection to the restored database, to which the present one is
attached as ``present``.
"""

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from newsletter.config.tracking import TRACKED_ACTIONS, TrackedAction
from newsletter.db import read_transaction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import (
    erased,
    journal,
    send_recipient,
    setting,
    subscriber,
    suppression,
    unreadable_event,
)
from newsletter.errors import DatabaseError
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import (
    ERASED_REASON,
    SALT_KEY,
    erase_address,
    find_erased,
)
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.tracking_answers import (
    answer_kind,
    consent_column,
    record_tracking_answers,
)
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES
from newsletter.subscribers.consent.unreadable_events import DROPPED_KEY
from newsletter.subscribers.topics import is_topic_scope

ATTACHED_SCHEMA = "present"
CHUNK_SIZE = 5_000


@dataclass(slots=True)
class CarryOverResult:
    """What was carried over from the present database to the restored one.

    Attributes:
        suppressed: number of subscribers by the status that they have now.
        suppressions_added: number of addresses that are not in the restored list and must not be
            added to it.
        erased: number of subscribers who had asked for erasure.
        sends: issues whose send was missing from the backup, or was in another state there.
        tracking_refused: number of subscribers who have refused to be tracked since.
    """

    suppressed: Counter[str] = field(default_factory=Counter)
    suppressions_added: int = 0
    erased: int = 0
    sends: list[str] = field(default_factory=list)
    tracking_refused: int = 0


def attached_table(table: sa.Table) -> sa.FromClause:
    """Return the same table of the attached, present database."""
    return table.to_metadata(sa.MetaData(), schema=ATTACHED_SCHEMA).alias(f"present_{table.name}")


def count_missing_subscribers(connection: sa.Connection) -> int:
    """Return how many subscribers of the present list are missing from the restored one."""
    present = attached_table(subscriber)
    restored = sa.exists().where(subscriber.c.address_key == present.c.address_key)
    return connection.scalar(sa.select(sa.func.count()).select_from(present).where(~restored)) or 0


def carry_over_subscribers(connection: sa.Connection, result: CarryOverResult) -> None:
    """Carry over status changes, suppressions, erasures and the tokens in subscribers' links.

    Raises:
        DatabaseError: the two databases are not states of one list.
    """
    _carry_erased(connection)
    for status, key, origin in list(_iter_suppressed_since_backup(connection)):
        changed = changes.SUPPRESSION_ACTIONS[status](connection, key, origin)
        if changed and changed.before != changed.after:
            result.suppressed[changed.after] += 1
    refused: set[int] = set()
    for id_, action, origin in list(_iter_refused_since_backup(connection)):
        if record_tracking_answers(connection, id_, {action: False}, origin):
            refused.add(id_)
    result.tracking_refused = len(refused)
    result.suppressions_added = _carry_suppressions(connection)
    _carry_tokens(connection)
    _carry_last_id(connection)


def carry_over_unreadable_events(connection: sa.Connection) -> None:
    """Replace the unreadable events by the present ones: later ones, less those since erased."""
    connection.execute(sa.delete(unreadable_event))
    insert_missing_rows(connection, unreadable_event)
    connection.execute(sa.delete(setting).where(setting.c.key == DROPPED_KEY))
    present = attached_table(setting)
    count = sa.select(present).where(present.c.key == DROPPED_KEY)
    connection.execute(sa.insert(setting).from_select(list(present.c.keys()), count))


def reapply_erasures(engine: sa.Engine, now: datetime.datetime) -> int:
    """Erase each subscriber of the restored list whose erasure was carried over."""
    query = sa.select(subscriber.c.address_key).execution_options(yield_per=CHUNK_SIZE)
    erased_keys: list[str] = []
    with read_transaction(engine) as connection:
        for keys in connection.scalars(query).partitions():
            erased_keys += find_erased(connection, keys)
    for key in erased_keys:
        erase_address(engine, key, now)
    return len(erased_keys)


def different_list_error(reason: str) -> DatabaseError:
    """Return the error for a backup that is not an earlier state of the present database."""
    return DatabaseError(
        f"the backup is not an earlier state of the present database: {reason}",
        remedy="Nothing was changed. To restore it all the same, move the present database away "
        "first.",
    )


def insert_missing_rows(connection: sa.Connection, table: sa.Table) -> int:
    """Insert the rows of the present table whose key the restored one lacks; return how many."""
    present = attached_table(table)
    columns: dict[str, sa.ColumnElement[Any]] = dict(present.c.items())
    if table is send_recipient:
        columns["error"] = _reason_left_out(present)
    rows = insert_or_ignore(connection, table).from_select(
        list(columns), sa.select(*columns.values()).where(sa.true())
    )
    return connection.execute(rows).rowcount


def _reason_left_out(present: sa.FromClause) -> sa.ColumnElement[str]:
    """Return a recipient's error: a damaged database is not upgraded, so there may be none."""
    needs_none = present.c.state.in_(("pending", "accepted", "unknown"))
    has_none = sa.and_(present.c.error == "", ~needs_none)
    return sa.case((has_none, ERASED_REASON), else_=present.c.error)


def _carry_erased(connection: sa.Connection) -> None:
    """Copy the erasure hashes and their salt, which is generated once per database.

    The hashes mean nothing without it.
    """
    salt = sa.select(setting.c.value).where(setting.c.key == SALT_KEY)
    present = attached_table(setting)
    restored_salt = connection.scalar(salt)
    present_salt = connection.scalar(sa.select(present.c.value).where(present.c.key == SALT_KEY))
    if restored_salt and present_salt and restored_salt != present_salt:
        raise different_list_error("their erasure salts differ")
    if present_salt:
        connection.execute(
            insert_or_ignore(connection, setting).values(key=SALT_KEY, value=present_salt)
        )
    insert_missing_rows(connection, erased)


def _iter_suppressed_since_backup(
    connection: sa.Connection,
) -> Iterator[tuple[str, str, ChangeOrigin]]:
    """Yield status, key and origin of each suppressed subscriber whose restored status differs."""
    present, entries = attached_table(subscriber), attached_table(journal)
    later = entries.alias()
    last = (
        sa.select(sa.func.max(later.c.seq))
        .where(
            later.c.subscriber_id == present.c.id,
            later.c.change.in_((*SUPPRESSED_STATUSES, "imported")),
        )
        .scalar_subquery()
    )
    query = (
        sa.select(
            present.c.status,
            present.c.address_key,
            sa.func.coalesce(entries.c.at, present.c.updated_at),
            sa.func.coalesce(entries.c.method, "cli"),
            sa.func.coalesce(entries.c.source, ""),
            sa.func.coalesce(entries.c.wording, ""),
        )
        .join(subscriber, subscriber.c.address_key == present.c.address_key)
        .outerjoin(entries, sa.and_(entries.c.subscriber_id == present.c.id, entries.c.seq == last))
        .where(present.c.status.in_(SUPPRESSED_STATUSES), subscriber.c.status != present.c.status)
    )
    for status, key, *origin in connection.execute(query):
        yield status, key, ChangeOrigin(*origin)


def _iter_refused_since_backup(
    connection: sa.Connection,
) -> Iterator[tuple[int, TrackedAction, ChangeOrigin]]:
    """Yield restored subscriber, action and origin where the present list has no consent any more.

    Also of those who were not asked yet: an import may state that they agree. Who has changed their
    address since is found by the token in their links.
    """
    present, entries = attached_table(subscriber), attached_table(journal)
    for action in TRACKED_ACTIONS:
        column, kind = consent_column(action), answer_kind(action, is_allowed=False)
        last = (
            sa.select(sa.func.max(entries.c.seq))
            .where(entries.c.subscriber_id == present.c.id, entries.c.change == kind)
            .scalar_subquery()
        )
        entry = attached_table(journal).alias("answer")
        for same in (
            present.c.address_key == subscriber.c.address_key,
            present.c.token == subscriber.c.token,
        ):
            query = (
                sa.select(
                    subscriber.c.id,
                    sa.func.coalesce(entry.c.at, present.c.updated_at),
                    sa.func.coalesce(entry.c.method, "cli"),
                    sa.func.coalesce(entry.c.source, "restore"),
                    sa.func.coalesce(entry.c.wording, ""),
                )
                .select_from(subscriber)
                .join(present, same)
                .outerjoin(
                    entry,
                    sa.and_(entry.c.subscriber_id == present.c.id, entry.c.seq == last),
                )
                .where(
                    sa.or_(
                        sa.and_(subscriber.c[column].is_(True), present.c[column].is_(None)),
                        sa.and_(subscriber.c[column].is_not(False), present.c[column].is_(False)),
                    ),
                )
            )
            for id_, *origin in connection.execute(query):
                yield id_, action, ChangeOrigin(*origin)


def _carry_suppressions(connection: sa.Connection) -> int:
    """Copy suppressions, and add one for each suppressed subscriber missing from the backup.

    Returns how many addresses must not be added to the restored list.
    """
    _carry_opt_outs(connection)
    present = attached_table(subscriber)
    restored = sa.exists().where(subscriber.c.address_key == present.c.address_key)
    missing = sa.select(
        present.c.address_key,
        sa.literal("all"),
        present.c.status,
        present.c.updated_at,
        sa.literal("restore"),
    ).where(present.c.status.in_(SUPPRESSED_STATUSES), ~restored)
    count = insert_missing_rows(connection, suppression)
    names = ["address_key", "scope", "reason", "since", "source"]
    insert = insert_or_ignore(connection, suppression).from_select(names, missing)
    return count + connection.execute(insert).rowcount


def _carry_opt_outs(connection: sa.Connection) -> None:
    """Copy the topics that subscribers have opted out of since, to the address that they have here.

    Who has changed their address since is found by the token in their links.
    """
    present, opt_out = attached_table(subscriber), attached_table(suppression)
    columns = (opt_out.c.scope, opt_out.c.reason, opt_out.c.since, opt_out.c.source)
    rows = (
        sa.select(subscriber.c.address_key, *columns)
        .select_from(subscriber)
        .join(present, present.c.token == subscriber.c.token)
        .join(opt_out, opt_out.c.address_key == present.c.address_key)
        .where(is_topic_scope(opt_out.c.scope))
    )
    names = ["address_key", "scope", "reason", "since", "source"]
    connection.execute(insert_or_ignore(connection, suppression).from_select(names, rows))
    others = sa.select(opt_out).where(is_topic_scope(opt_out.c.scope))
    connection.execute(
        insert_or_ignore(connection, suppression).from_select(list(opt_out.c.keys()), others)
    )


def _carry_tokens(connection: sa.Connection) -> None:
    """Copy tokens: unsubscribe links in emails sent since the backup must keep working."""
    present = attached_table(subscriber)
    same = present.c.address_key == subscriber.c.address_key
    token = sa.select(present.c.token).where(same).scalar_subquery()
    changed = sa.exists().where(same, present.c.token != subscriber.c.token)
    connection.execute(sa.update(subscriber).where(changed).values(token=token))


def _carry_last_id(connection: sa.Connection) -> None:
    """Raise the last subscriber id to the present one: the ledger keeps ids, so none is reused."""
    restored, present = _sequence_table(), _sequence_table(ATTACHED_SCHEMA)
    present_last = (
        connection.scalar(sa.select(present.c.seq).where(present.c.name == subscriber.name)) or 0
    )
    is_subscriber = restored.c.name == subscriber.name
    restored_last = connection.scalar(sa.select(restored.c.seq).where(is_subscriber))
    if restored_last is None:
        connection.execute(sa.insert(restored).values(name=subscriber.name, seq=present_last))
    elif restored_last < present_last:
        connection.execute(sa.update(restored).where(is_subscriber).values(seq=present_last))


def _sequence_table(schema: str | None = None) -> sa.TableClause:
    """Return SQLite's own table of the last ids (sqlite.org/autoinc.html)."""
    columns = (sa.column("name", sa.Text), sa.column("seq", sa.Integer))
    return sa.table("sqlite_sequence", *columns, schema=schema)
