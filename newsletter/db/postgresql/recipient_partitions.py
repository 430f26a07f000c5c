"""Partitions: tables of their own for the recipients of a large send.

A partition inherits from ``send_recipient``, so that a query, an update or a deletion of that table
includes it; only what is inserted must name it. It is filled before it has an index, for which the
rights of the tables' owner are needed.

A migration that adds a column to ``send_recipient`` adds it to its partitions. One that drops a
column or a constraint must drop it from each of them as well, before a new constraint of the same
name is made, and an index must be created on each of them: PostgreSQL takes these for their own.

PostgreSQL's declarative partitions would need the partition's key in each unique constraint. But
nobody may be twice among the recipients of a send and its catch-ups, whichever send they are of.
"""

import sqlalchemy as sa

from newsletter.db.postgresql.owner_functions import CREATE_PARTITION, DROP_PARTITION
from newsletter.db.postgresql.privileges import may_execute, may_insert
from newsletter.db.schema import BigIntKey, send_recipient
from newsletter.db.transaction import read_transaction

# With fewer recipients, one more table costs more than it saves: each query includes all of them.
MIN_PARTITION_RECIPIENTS = 1_000_000
_PREFIX = "send_recipient_"
# The partitions of sends that were deleted.
_LEFTOVERS = sa.text(f"""
SELECT id FROM (
  SELECT substring(relname FROM '^{_PREFIX}([0-9]{{1,18}})$')::bigint AS id
  FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
  WHERE inhparent = 'send_recipient'::regclass
) AS partitions
WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM send WHERE send.id = partitions.id)
ORDER BY id
""")  # noqa: S608 - our own name
# Held by whoever drops them: to drop one that another program has just dropped is an error.
_TRY_LOCK = sa.text("SELECT pg_try_advisory_xact_lock(hashtext('newsletter leftover partitions'))")
# A transaction that reads recipients locks each partition and its four indexes. When the server's
# lock table is full, everybody's statements fail.
_LOCKS_PER_PARTITION = 5
_TRANSACTIONS_AT_ONCE = 30


def create_partition(connection: sa.Connection, send_id: int) -> sa.TableClause | None:
    """Create a partition for a new send's recipients, to be attached when they are inserted.

    Args:
        connection: in the transaction that inserts the send.
        send_id: the send, which is no catch-up.

    Returns:
        The partition; ``None`` if the role may not create one, or there are as many as the server
        can lock.
    """
    if not may_execute(connection, CREATE_PARTITION):
        return None
    if count_partitions(connection) >= get_max_partitions(connection):
        return None
    connection.execute(sa.select(sa.func.newsletter_create_partition(_id(send_id))))
    return _partition(send_id)


def attach_partition(connection: sa.Connection, send_id: int) -> None:
    """Make the rows of a new partition rows of ``send_recipient``, with all its indexes.

    Raises:
        sqlalchemy.exc.IntegrityError: an address is in it twice.
    """
    connection.execute(sa.select(sa.func.newsletter_attach_partition(_id(send_id))))


def find_recipient_table(connection: sa.Connection, root_id: int) -> sa.TableClause:
    """Return the table into which recipients of a send or of its catch-ups are inserted.

    Args:
        connection: in a transaction.
        root_id: the send or, of a catch-up, its parent.
    """
    partition = _partition(root_id)
    if has_partition(connection, root_id) and may_insert(connection, partition):
        return partition
    return send_recipient


def has_partition(connection: sa.Connection, send_id: int) -> bool:
    """Return whether a send has a partition."""
    if connection.dialect.name != "postgresql":
        return False
    found = sa.func.to_regclass(f"{_PREFIX}{send_id}").is_not(None)
    return bool(connection.scalar(sa.select(found)))


def drop_partition(connection: sa.Connection, send_id: int) -> bool:
    """Drop the partition of a send with all rows in it.

    From then on nobody reads any recipients until the transaction ends, so this comes last in it.

    Args:
        connection: in the transaction that deletes the send.
        send_id: the send.

    Returns:
        Whether it was dropped. It is not if there is none, if recipients of a catch-up are in it,
        if the role may not, or if it is being read for more than half a second.
    """
    if not has_partition(connection, send_id):
        return False
    if not may_execute(connection, DROP_PARTITION):
        return False
    return bool(connection.scalar(sa.select(sa.func.newsletter_drop_partition(_id(send_id)))))


def drop_leftover_partitions(engine: sa.Engine) -> int:
    """Drop the partitions of sends that were deleted while somebody went on reading recipients.

    Each in a transaction of its own, in which others wait for half a second at most.

    Args:
        engine: the database.

    Returns:
        How many were dropped; those that are still being read are left.
    """
    if engine.dialect.name != "postgresql":
        return 0
    with read_transaction(engine) as connection:
        leftovers = connection.scalars(_LEFTOVERS).all()
    dropped = 0
    for send_id in leftovers:
        with engine.begin() as connection:
            if connection.scalar(_TRY_LOCK):
                dropped += drop_partition(connection, send_id)
    return dropped


def count_partitions(connection: sa.Connection) -> int:
    """Return how many sends have a partition."""
    if connection.dialect.name != "postgresql":
        return 0
    query = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'send_recipient'::regclass"
    return int(connection.scalar(sa.text(query)) or 0)


def get_max_partitions(connection: sa.Connection) -> int:
    """Return how many partitions leave room in the lock table of a PostgreSQL server.

    Its size is that of https://www.postgresql.org/docs/current/runtime-config-locks.html.
    """
    names = ("max_locks_per_transaction", "max_connections", "max_prepared_transactions")
    settings = [sa.cast(sa.func.current_setting(name), sa.Integer) for name in names]
    locks, *transactions = connection.execute(sa.select(*settings)).one()
    return int(locks * sum(transactions) // (_LOCKS_PER_PARTITION * _TRANSACTIONS_AT_ONCE))


def _id(send_id: int) -> sa.BindParameter[int]:
    return sa.literal(send_id, BigIntKey)


def _partition(send_id: int) -> sa.TableClause:
    columns = [sa.column(column.name, column.type) for column in send_recipient.columns]
    return sa.table(f"{_PREFIX}{send_id}", *columns)
