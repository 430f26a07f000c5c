"""Freeze a recalled send again: the same email, recipients, batches.

The recipients of a large send on PostgreSQL are copied at once, into a partition.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import sqlalchemy as sa

from newsletter.db.bulk import ValueList, insert_rows
from newsletter.db.postgresql.owner_functions import analyze_tables
from newsletter.db.postgresql.recipient_partitions import (
    MIN_PARTITION_RECIPIENTS,
    attach_partition,
    create_partition,
    find_recipient_table,
)
from newsletter.db.schema import BigIntKey, batch, send, send_recipient
from newsletter.db.transaction import lift_statement_timeout
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.copied_database import require_adopted
from newsletter.sending.ledger.recall_record import set_recalled_send_aside
from newsletter.sending.ledger.record import Ledger, Send, changed_meanwhile_error, get_send
from newsletter.sending.planning.batches.insert_batches import MIN_ANALYZED_RECIPIENTS
from newsletter.sending.planning.batches.insert_partition import insert_numbered_recipients
from newsletter.sending.planning.frozen_content import load_frozen_email, save_frozen_email
from newsletter.sending.planning.send_schedule import SendSchedule
from newsletter.subscribers.send_names import is_set_aside_name
from newsletter.subscribers.topics import insert_send_topic
from newsletter.subscribers.tracking_groups import VARIANTS

# Recipients that are copied at once.
PAGE_SIZE = 50_000
_COPIED_COLUMNS = ("content_sha", "subject", "total", "excluded", "segment", "allowed")


def copy_recalled_send(ledger: Ledger, recalled: Send, schedule: SendSchedule) -> Send:
    """Record a new send that is like a recalled one, which is set aside; in one transaction.

    Args:
        ledger: the ledger.
        recalled: the recalled send.
        schedule: when the new send goes.

    Raises:
        SendRefusedError: the send is not recalled any more, or was changed in the database; or
            the database is a copy that has not been adopted.
    """
    if get_send(ledger, recalled.issue) != recalled or is_set_aside_name(recalled.issue):
        raise changed_meanwhile_error(recalled)
    email = load_frozen_email(ledger, recalled)
    with ledger.engine.begin() as connection:
        lift_statement_timeout(connection)
        require_adopted(connection)
        set_recalled_send_aside(connection, recalled)
        send_id = _insert_send(connection, ledger, recalled, schedule)
        insert_send_topic(connection, send_id, recalled.topic)
        _copy_batches(connection, recalled, send_id)
        save_frozen_email(connection, send_id, email)
    copied = get_send(ledger, recalled.issue)
    assert copied is not None
    return copied


def list_planned_sizes(connection: sa.Connection, send_record: Send) -> list[int]:
    """Return the sizes of the batches as they were planned, in their order."""
    query = (
        sa.select(batch.c.size)
        .where(batch.c.send_id == send_record.id, batch.c.parent_id.is_(None))
        .order_by(batch.c.number)
    )
    return list(connection.scalars(query))


def _insert_send(
    connection: sa.Connection, ledger: Ledger, recalled: Send, schedule: SendSchedule
) -> int:
    original = connection.execute(
        sa.select(*(send.c[name] for name in _COPIED_COLUMNS)).where(send.c.id == recalled.id)
    )
    limit = schedule.limit_per_hour
    values = {
        **original.mappings().one(),
        "parent_id": recalled.parent_id,
        "issue": recalled.issue,
        "state": "frozen",
        "frozen_at": ledger.clock(connection),
        "scheduled_at": schedule.scheduled_at,
        "undo_seconds": schedule.undo_seconds,
        "provider_batch_id": schedule.provider_batch_id,
        "limit_per_hour": recalled.limit_per_hour if limit is None else limit,
    }
    send_id: int = connection.execute(
        sa.insert(send).values(values).returning(send.c.id)
    ).scalar_one()
    return send_id


def _copy_batches(connection: sa.Connection, recalled: Send, send_id: int) -> None:
    """Copy the batches as they were planned, and their recipients, all of them pending again.

    In a plan, recipients are in the order of their variants and ids, and so are the batches.

    Raises:
        SendRefusedError: there are more or fewer recipients than were planned.
    """
    sizes = list_planned_sizes(connection, recalled)
    variants = _list_planned_variants(connection, recalled, sizes)
    insert = sa.insert(batch).returning(batch.c.id, sort_by_parameter_order=True)
    rows = [
        {"send_id": send_id, "number": number, "size": size, "state": "ready", "variant": variant}
        for number, (size, variant) in enumerate(zip(sizes, variants, strict=True), 1)
    ]
    batch_ids = connection.scalars(insert, rows).all()
    if _may_be_partitioned(connection, recalled, sum(sizes)) and (
        (partition := create_partition(connection, send_id)) is not None
    ):
        numbered = _number_recipients(recalled, sizes)
        count = insert_numbered_recipients(connection, partition, send_id, numbered, {})
        attach_partition(connection, send_id)
    else:
        count = _copy_pages(connection, recalled, send_id, batch_ids, sizes)
        if count >= MIN_ANALYZED_RECIPIENTS:
            analyze_tables(connection, batch, send_recipient)
    if count != sum(sizes):
        raise SendRefusedError(
            f"the recipients of {recalled.issue} are not those of its plan",
            remedy=f"Plan it again with: {recalled.send_command} --at TIME",
        )


def _list_planned_variants(
    connection: sa.Connection, recalled: Send, sizes: Sequence[int]
) -> list[str]:
    """Return the variants of the batches as they were planned.

    A request may have been tracked for less, if one of its readers had refused since.
    """
    variant = send_recipient.c.variant
    query = sa.select(variant, sa.func.count()).where(send_recipient.c.send_id == recalled.id)
    counts: dict[str, int] = dict(connection.execute(query.group_by(variant)).all())
    ends = [*accumulate(counts.get(name, 0) for name in VARIANTS)]
    # Beyond the last one if recipients are missing, which is refused once they are counted.
    return [[*VARIANTS, ""][bisect_left(ends, end)] for end in accumulate(sizes)]


def _may_be_partitioned(connection: sa.Connection, recalled: Send, total: int) -> bool:
    """Return whether the new send gets a partition; a catch-up is stored beside its parent."""
    is_large_root = recalled.parent_id is None and total >= MIN_PARTITION_RECIPIENTS
    return is_large_root and connection.dialect.name == "postgresql"


def _number_recipients(recalled: Send, sizes: Sequence[int]) -> sa.Select[Any]:
    """Select the recipients with the numbers of their batches as planned; on PostgreSQL."""
    order = sa.case(
        {variant: place for place, variant in enumerate(VARIANTS)}, value=send_recipient.c.variant
    )
    ids = send_recipient.c.subscriber_id
    position = sa.func.row_number().over(order_by=(order, ids)) - 1
    first_positions = [0, *accumulate(sizes[:-1])]
    number = sa.func.width_bucket(position, sa.literal(first_positions, ValueList(BigIntKey)))
    return sa.select(
        ids, send_recipient.c.address_key, send_recipient.c.variant, number.label("number")
    ).where(send_recipient.c.send_id == recalled.id)


def _copy_pages(
    connection: sa.Connection,
    recalled: Send,
    send_id: int,
    batch_ids: Sequence[int],
    sizes: Sequence[int],
) -> int:
    """Copy the recipients page by page; return how many there are, at most one page too many."""
    root_id = recalled.parent_id or send_id
    remaining = [id_ for id_, size in zip(batch_ids, sizes, strict=True) for _ in range(size)]
    columns = ("send_id", "subscriber_id", "address_key", "batch_id", "root_id", "variant")
    table = find_recipient_table(connection, root_id)
    count = 0
    for page in _iter_recipients(connection, recalled):
        ids = remaining[count : count + len(page)]
        count += len(page)
        if len(ids) < len(page):
            break
        insert_rows(
            connection,
            table,
            columns,
            [
                (send_id, row.subscriber_id, row.address_key, batch_id, root_id, row.variant)
                for row, batch_id in zip(page, ids, strict=True)
            ],
        )
    return count


def _iter_recipients(connection: sa.Connection, send_record: Send) -> Iterator[Sequence[Any]]:
    """Yield the recipients page by page, in the order of the plan."""
    recipients = (
        sa.select(
            send_recipient.c.subscriber_id, send_recipient.c.address_key, send_recipient.c.variant
        )
        .where(
            send_recipient.c.send_id == send_record.id,
            send_recipient.c.variant == sa.bindparam("of_variant"),
            send_recipient.c.subscriber_id > sa.bindparam("after"),
        )
        .order_by(send_recipient.c.subscriber_id)
        .limit(PAGE_SIZE)
    )
    for variant in VARIANTS:
        after = 0
        while page := connection.execute(recipients, {"of_variant": variant, "after": after}).all():
            yield page
            after = page[-1].subscriber_id
