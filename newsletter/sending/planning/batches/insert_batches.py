"""Insert the batches of a send with their recipients.

The recipients of a large send on PostgreSQL are inserted at once, into a partition. Otherwise they
are selected page by page, and inserted batch by batch.
"""

import datetime
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in_parameter
from newsletter.db.postgresql.owner_functions import analyze_tables
from newsletter.db.postgresql.recipient_partitions import (
    MIN_PARTITION_RECIPIENTS,
    attach_partition,
    create_partition,
    find_recipient_table,
)
from newsletter.db.schema import BigIntKey, batch, send_recipient, subscriber
from newsletter.sending.planning.batches.insert_partition import insert_partition_rows
from newsletter.sending.providers.prepared_email import PreparedEmail, split_into_batches
from newsletter.subscribers import ALL_SUBSCRIBERS, MAILABLE, count_subscribers, iter_audience
from newsletter.subscribers.tracking_groups import TrackingGroup, list_tracking_groups

# Selected at once: a segment can take as long to evaluate for one batch as for the whole list
# (SQLite collects the ids of a tag first), so it isn't evaluated batch by batch.
RECIPIENTS_PER_PAGE = 50_000
# With fewer, PostgreSQL's old statistics do no harm.
MIN_ANALYZED_RECIPIENTS = 10_000


class SendKeys(NamedTuple):
    """The ids of a send, and of its root: of a catch-up, its parent, or else itself."""

    send_id: int
    root_id: int


def insert_batches(
    connection: sa.Connection,
    keys: SendKeys,
    prepared_email: PreparedEmail,
    condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> int:
    """Insert the batches and their recipients; return how many recipients there are.

    First come all batches of one variant, in the order of ``VARIANTS``; within it, the ids of the
    subscribers ascend.

    Args:
        connection: in a transaction that sees one snapshot.
        keys: the send.
        prepared_email: the email, which says how large a batch is.
        condition: which subscribers are sent it, if they are mailable.
        now: the moment at which pauses are evaluated.
    """
    groups = [
        group._replace(condition=_both(condition, group.condition))
        for group in list_tracking_groups(prepared_email.config.tracking)
    ]
    if _may_be_partitioned(connection, keys, prepared_email):
        counts = [
            count_subscribers(connection, group.condition, mailable_only=True, at=now)
            for group in groups
        ]
        if sum(counts) >= MIN_PARTITION_RECIPIENTS:
            partition = create_partition(connection, keys.send_id)
            if partition is not None:
                total = insert_partition_rows(
                    connection, partition, keys.send_id, prepared_email.batch_size,
                    zip(groups, counts, strict=True), now,
                )  # fmt: skip
                attach_partition(connection, keys.send_id)
                return total
    total = _insert_pages(connection, keys, prepared_email, groups, now)
    if total >= MIN_ANALYZED_RECIPIENTS:
        analyze_tables(connection, batch, send_recipient)
    return total


def _both(
    condition: sa.ColumnElement[bool], other: sa.ColumnElement[bool]
) -> sa.ColumnElement[bool]:
    return condition if other is ALL_SUBSCRIBERS else sa.and_(condition, other)


def _may_be_partitioned(
    connection: sa.Connection, keys: SendKeys, prepared_email: PreparedEmail
) -> bool:
    """Return whether the send gets a partition if it is large enough.

    A catch-up's recipients are stored beside those of its parent.
    """
    is_root = keys.root_id == keys.send_id
    return connection.dialect.name == "postgresql" and prepared_email.always_fits and is_root


def _insert_pages(
    connection: sa.Connection,
    keys: SendKeys,
    prepared_email: PreparedEmail,
    groups: Sequence[TrackingGroup],
    now: datetime.datetime,
) -> int:
    """Insert page by page; return how many recipients there are."""
    number, total = 0, 0
    insert_batch_rows = sa.insert(batch).returning(batch.c.id, sort_by_parameter_order=True)
    insert_recipients = _build_recipient_insert(connection, keys.root_id)
    batches = _iter_batches(connection, prepared_email, groups, now)
    while page := list(itertools.islice(batches, _batches_per_page(prepared_email))):
        rows = [
            {
                "send_id": keys.send_id,
                "number": number,
                "size": len(subscriber_ids),
                "state": "ready",
                "variant": variant,
            }
            for number, (variant, subscriber_ids) in enumerate(page, number + 1)
        ]
        batch_ids = connection.scalars(insert_batch_rows, rows).all()
        connection.execute(
            insert_recipients,
            [
                {
                    "to_send": keys.send_id,
                    "to_batch": batch_id,
                    "to_root": keys.root_id,
                    "to_variant": variant,
                    "subscriber_ids": subscriber_ids,
                }
                for batch_id, (variant, subscriber_ids) in zip(batch_ids, page, strict=True)
            ],
        )
        number += len(page)
        total += sum(len(subscriber_ids) for _, subscriber_ids in page)
    return total


def _iter_batches(
    connection: sa.Connection,
    prepared_email: PreparedEmail,
    groups: Sequence[TrackingGroup],
    now: datetime.datetime,
) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield the variant and the subscriber ids of each batch."""
    for group in groups:
        for subscriber_ids in _iter_group_batches(connection, prepared_email, group.condition, now):
            yield group.variant, subscriber_ids


def _iter_group_batches(
    connection: sa.Connection,
    prepared_email: PreparedEmail,
    condition: sa.ColumnElement[bool],
    now: datetime.datetime,
) -> Iterator[Sequence[int]]:
    """Yield the subscriber ids of each batch of one group, ascending."""
    if not prepared_email.always_fits:
        audience = iter_audience(connection, condition=condition, at=now)
        for recipients in split_into_batches(prepared_email, audience):
            yield [recipient.id for recipient in recipients]
        return
    batch_size = prepared_email.batch_size
    page_size = batch_size * _batches_per_page(prepared_email)
    query = (
        sa.select(subscriber.c.id)
        .where(MAILABLE, condition, subscriber.c.id > sa.bindparam("after"))
        .order_by(subscriber.c.id)
        .limit(page_size)
    )
    after = 0
    while page := connection.scalars(query, {"after": after, "moment": now}).all():
        for start in range(0, len(page), batch_size):
            yield page[start : start + batch_size]
        if len(page) < page_size:
            return
        after = page[-1]


def _batches_per_page(prepared_email: PreparedEmail) -> int:
    return max(1, RECIPIENTS_PER_PAGE // prepared_email.batch_size)


def _build_recipient_insert(connection: sa.Connection, root_id: int) -> sa.Insert:
    """Build the statement that inserts the recipients of one batch, given their ids.

    It repeats nothing of the segment's condition: a list of values in it (``IN``) can't be part
    of a statement that is executed for many batches at once. Names and addresses stay inside the
    database.
    """
    recipients = (
        sa.select(
            sa.bindparam("to_send", type_=BigIntKey),
            subscriber.c.id,
            subscriber.c.address_key,
            sa.bindparam("to_batch", type_=BigIntKey),
            sa.bindparam("to_root", type_=BigIntKey),
            sa.bindparam("to_variant", type_=sa.Text),
        )
        .where(column_in_parameter(connection, subscriber.c.id, "subscriber_ids"))
        .order_by(subscriber.c.id)
    )
    columns = ("send_id", "subscriber_id", "address_key", "batch_id", "root_id", "variant")
    return sa.insert(find_recipient_table(connection, root_id)).from_select(columns, recipients)
