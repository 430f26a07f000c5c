"""Carry over unsubscribes, erasures and sends to a restored list.

After a restore, whoever left the present list has left the restored one too.

Works on a connection to the restored list to which the present one is attached as ``present``.
"""

import datetime
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import erased, journal, setting, subscriber, suppression
from newsletter.errors import DatabaseError
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import SALT_KEY, erase_address, find_erased
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES

ATTACHED_SCHEMA = "present"
CHUNK_SIZE = 5_000


@dataclass(slots=True)
class CarryOverResult:
    """What a restored database took over from the present one.

    Attributes:
        suppressed: readers by the status that they have now.
        suppressions_added: addresses that aren't in the restored list, and must not get into it.
        erased: readers who had asked to be forgotten.
        sends: issues whose send the backup didn't know, or not in its present state.
    """

    suppressed: Counter[str] = field(default_factory=Counter)
    suppressions_added: int = 0
    erased: int = 0
    sends: list[str] = field(default_factory=list)


def attached_table(table: sa.Table) -> sa.FromClause:
    """The same table of the present database."""
    return table.to_metadata(sa.MetaData(), schema=ATTACHED_SCHEMA).alias(f"present_{table.name}")


def count_missing_subscribers(connection: sa.Connection) -> int:
    """How many readers of the present list the restored one doesn't have."""
    present = attached_table(subscriber)
    there = sa.exists().where(subscriber.c.address_key == present.c.address_key)
    return connection.scalar(sa.select(sa.func.count()).select_from(present).where(~there)) or 0


def carry_over_subscribers(connection: sa.Connection, result: CarryOverResult) -> None:
    """Take over who has left, who is kept out, who was erased, and everybody's links.

    Raises:
        DatabaseError: the two are not states of one list.
    """
    _carry_erased(connection)
    for word, key, origin in list(_iter_suppressed_since_backup(connection)):
        changed = changes.SUPPRESSION_ACTIONS[word](connection, key, origin)
        if changed and changed.before != changed.after:
            result.suppressed[changed.after] += 1
    result.suppressions_added = _carry_suppressions(connection)
    _carry_tokens(connection)
    _carry_last_id(connection)


def reapply_erasures(engine: sa.Engine, now: datetime.datetime) -> int:
    """Erase every reader of the restored list whose erasure was carried over."""
    everybody = sa.select(subscriber.c.address_key).execution_options(yield_per=CHUNK_SIZE)
    gone: list[str] = []
    with read_transaction(engine) as connection:
        for keys in connection.scalars(everybody).partitions():
            gone += find_erased(connection, keys)
    for key in gone:
        erase_address(engine, key, now)
    return len(gone)


def different_list_error(reason: str) -> DatabaseError:
    """The backup is not an earlier state of the present database."""
    return DatabaseError(
        f"the backup is of another list than the present database: {reason}",
        remedy="Nothing was changed. If it shall take its place all the same, move the present "
        "database away first.",
    )


def insert_missing_rows(connection: sa.Connection, table: sa.Table) -> int:
    """The rows of the present table whose key the restored one doesn't have."""
    there = attached_table(table)
    rows = insert_or_ignore(connection, table).from_select(
        list(there.c.keys()), sa.select(there).where(sa.true())
    )
    return connection.execute(rows).rowcount


def _carry_erased(connection: sa.Connection) -> None:
    """The hashes mean nothing without their salt, which a database makes once."""
    salt = sa.select(setting.c.value).where(setting.c.key == SALT_KEY)
    other = attached_table(setting)
    ours = connection.scalar(salt)
    theirs = connection.scalar(sa.select(other.c.value).where(other.c.key == SALT_KEY))
    if ours and theirs and ours != theirs:
        raise different_list_error("they don't erase alike")
    if theirs:
        connection.execute(insert_or_ignore(connection, setting).values(key=SALT_KEY, value=theirs))
    insert_missing_rows(connection, erased)


def _iter_suppressed_since_backup(
    connection: sa.Connection,
) -> Iterator[tuple[str, str, ChangeOrigin]]:
    """Who has left the present list, but not the restored one: status, key, how it happened."""
    present, lines = attached_table(subscriber), attached_table(journal)
    later = lines.alias()
    last = (
        sa.select(sa.func.max(later.c.seq))
        .where(
            later.c.subscriber_id == present.c.id,
            later.c.change.in_((*SUPPRESSED_STATUSES, "imported")),
        )
        .scalar_subquery()
    )
    found = (
        sa.select(
            present.c.status,
            present.c.address_key,
            sa.func.coalesce(lines.c.at, present.c.updated_at),
            sa.func.coalesce(lines.c.method, "cli"),
            sa.func.coalesce(lines.c.source, ""),
            sa.func.coalesce(lines.c.wording, ""),
        )
        .join(subscriber, subscriber.c.address_key == present.c.address_key)
        .outerjoin(lines, sa.and_(lines.c.subscriber_id == present.c.id, lines.c.seq == last))
        .where(present.c.status.in_(SUPPRESSED_STATUSES), subscriber.c.status != present.c.status)
    )
    for status, key, *origin in connection.execute(found):
        yield status, key, ChangeOrigin(*origin)


def _carry_suppressions(connection: sa.Connection) -> int:
    """Those of the present suppression list, and who left it without being in the backup."""
    present = attached_table(subscriber)
    listed = sa.exists().where(subscriber.c.address_key == present.c.address_key)
    strangers = sa.select(
        present.c.address_key,
        sa.literal("all"),
        present.c.status,
        present.c.updated_at,
        sa.literal("restore"),
    ).where(present.c.status.in_(SUPPRESSED_STATUSES), ~listed)
    count = insert_missing_rows(connection, suppression)
    names = ["address_key", "scope", "reason", "since", "source"]
    more = insert_or_ignore(connection, suppression).from_select(names, strangers)
    return count + connection.execute(more).rowcount


def _carry_tokens(connection: sa.Connection) -> None:
    """Links in mails that were sent since the backup must go on working: readers leave by them."""
    present = attached_table(subscriber)
    same = present.c.address_key == subscriber.c.address_key
    token = sa.select(present.c.token).where(same).scalar_subquery()
    changed = sa.exists().where(same, present.c.token != subscriber.c.token)
    connection.execute(sa.update(subscriber).where(changed).values(token=token))


def _carry_last_id(connection: sa.Connection) -> None:
    """An id that the present list has given must be given to nobody else: the ledger keeps ids."""
    ours, theirs = _sequence_table(), _sequence_table(ATTACHED_SCHEMA)
    last = connection.scalar(sa.select(theirs.c.seq).where(theirs.c.name == subscriber.name)) or 0
    mine = ours.c.name == subscriber.name
    known = connection.scalar(sa.select(ours.c.seq).where(mine))
    if known is None:
        connection.execute(sa.insert(ours).values(name=subscriber.name, seq=last))
    elif known < last:
        connection.execute(sa.update(ours).where(mine).values(seq=last))


def _sequence_table(schema: str | None = None) -> sa.TableClause:
    """SQLite's own record of the last ids (sqlite.org/autoinc.html)."""
    columns = (sa.column("name", sa.Text), sa.column("seq", sa.Integer))
    return sa.table("sqlite_sequence", *columns, schema=schema)
