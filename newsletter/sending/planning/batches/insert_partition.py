"""Insert all recipients of a large send into its partition on PostgreSQL."""

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import BigIntKey, batch, subscriber
from newsletter.subscribers import MAILABLE
from newsletter.subscribers.tracking_groups import TrackingGroup


def insert_partition_rows(  # noqa: PLR0913 - all that the rows consist of
    connection: sa.Connection,
    partition: sa.TableClause,
    send_id: int,
    batch_size: int,
    groups: Iterable[tuple[TrackingGroup, int]],
    now: datetime.datetime,
) -> int:
    """Insert the batches and the recipients; return how many recipients there are.

    Args:
        connection: in a transaction that sees one snapshot.
        partition: the partition, which is not attached yet.
        send_id: the send.
        batch_size: how many recipients a batch has, unless it is the last one of a group.
        groups: each group with the number of its mailable subscribers.
        now: the moment at which pauses are evaluated.

    Raises:
        RuntimeError: there are more or fewer recipients than the batches were made for.
    """
    first_number, total = 1, 0
    for group, count in groups:
        _insert_group_batches(connection, send_id, batch_size, group.variant, first_number, count)
        numbered = _number_group(batch_size, group, first_number)
        inserted = insert_numbered_recipients(
            connection, partition, send_id, numbered, {"moment": now}
        )
        if inserted != count:
            raise RuntimeError(f"{inserted} recipients in batches for {count}")
        first_number += -(-count // batch_size)
        total += count
    return total


def _insert_group_batches(  # noqa: PLR0913 - the columns
    connection: sa.Connection,
    send_id: int,
    batch_size: int,
    variant: str,
    first_number: int,
    count: int,
) -> None:
    offset = sa.func.generate_series(0, count - 1, batch_size).column_valued("offset")
    rows = sa.select(
        sa.literal(send_id, BigIntKey),
        offset / batch_size + first_number,
        sa.func.least(batch_size, count - offset),
        sa.literal("ready"),
        sa.literal(variant),
    ).order_by(offset)
    columns = ("send_id", "number", "size", "state", "variant")
    connection.execute(sa.insert(batch).from_select(columns, rows))


def _number_group(batch_size: int, group: TrackingGroup, first_number: int) -> sa.Select[Any]:
    position = sa.func.row_number().over(order_by=subscriber.c.id) - 1
    return sa.select(
        subscriber.c.id.label("subscriber_id"),
        subscriber.c.address_key,
        sa.literal(group.variant).label("variant"),
        (position // batch_size + first_number).label("number"),
    ).where(MAILABLE, group.condition)


def insert_numbered_recipients(
    connection: sa.Connection,
    partition: sa.TableClause,
    send_id: int,
    numbered: sa.Select[Any],
    parameters: Mapping[str, object],
) -> int:
    """Insert recipients, each into the batch of its number; return how many there are.

    Args:
        connection: in a transaction.
        partition: the partition, which is not attached yet.
        send_id: the send, whose batches are inserted.
        numbered: selects ``subscriber_id``, ``address_key``, ``variant``, and ``number`` of the
            batch.
        parameters: those of ``numbered``.
    """
    rows = numbered.subquery()
    in_batch = sa.and_(batch.c.send_id == send_id, batch.c.number == rows.c.number)
    recipients = sa.select(
        sa.literal(send_id, BigIntKey),
        rows.c.subscriber_id,
        rows.c.address_key,
        batch.c.id,
        sa.literal(send_id, BigIntKey),
        rows.c.variant,
    ).join_from(rows, batch, in_batch)
    columns = ("send_id", "subscriber_id", "address_key", "batch_id", "root_id", "variant")
    return connection.execute(
        sa.insert(partition).from_select(columns, recipients),
        parameters,
        execution_options={"preserve_rowcount": True},
    ).rowcount
