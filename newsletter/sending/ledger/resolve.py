"""Resolve unknown batches by the editor's decision.

Every write finds what the editor was shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import batch, send, send_recipient, subscriber
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.record import OPEN_BATCH_STATES, Ledger, Send
from newsletter.sending.ledger.state_machine import (
    RESOLVED_STATES,
    Resolution,
    state_after_resolution,
)

SAMPLE_SIZE = 3


@dataclass(frozen=True, slots=True)
class UnknownBatch:
    """An unknown batch.

    Attributes:
        id: in the ledger.
        number: as the editor names it.
        reason: what happened.
        recipient_count: how many may or may not have the mail.
        sample_addresses: the first addresses, to look up at the vendor.
    """

    id: int
    number: int
    reason: str
    recipient_count: int
    sample_addresses: tuple[str, ...]


def find_unknown_batches(
    ledger: Ledger, send_record: Send, numbers: Sequence[int] = ()
) -> list[UnknownBatch]:
    """The unknown batches with these numbers, or all of them.

    Raises:
        SendRefused: one of them is not unknown, or none is.
    """
    unknown_batches_of_send = sa.and_(batch.c.send_id == send_record.id, batch.c.state == "unknown")
    with read_transaction(ledger.engine) as connection:
        rows = connection.execute(
            sa.select(batch.c.id, batch.c.number, batch.c.error)
            .where(unknown_batches_of_send, *([batch.c.number.in_(numbers)] if numbers else []))
            .order_by(batch.c.number)
        ).all()
        found = [
            UnknownBatch(row.id, row.number, row.error, *_count_and_sample(connection, row.id))
            for row in rows
        ]
    missing = sorted(set(numbers) - {batch_row.number for batch_row in found})
    if missing or not found:
        what = f"batch {', '.join(map(str, missing))} of" if missing else "no batch of"
        verb = "is not unknown" if missing else "is unknown"
        raise SendRefusedError(
            f"{what} {send_record.issue} {verb}; only what is unknown can be settled",
            remedy=f"See: newsletter status {send_record.slug}",
        )
    return found


def resolve_batches(
    ledger: Ledger,
    send_record: Send,
    unknown_batches: Sequence[UnknownBatch],
    resolution: Resolution,
) -> str:
    """Settle unknown batches; returns the state that the send is in then.

    Raises:
        SendRefused: one of them is no longer unknown, or a cancelled send would go on. Nothing
            is written then.
    """
    settled = RESOLVED_STATES[resolution]
    if resolution == "resend" and send_record.state == "cancelled":
        raise SendRefusedError(
            f"{send_record.issue} was cancelled: nothing of it is sent any more",
            remedy="Settle it with --accepted or --drop.",
        )
    with ledger.engine.begin() as connection:
        for unknown_batch in unknown_batches:
            moved = connection.execute(
                sa.update(batch)
                .where(batch.c.id == unknown_batch.id, batch.c.state == "unknown")
                .values(state=settled.batch_state, error=settled.message, attempts=0, retry_at=None)
            )
            if moved.rowcount != 1:
                raise SendRefusedError(
                    f"batch {unknown_batch.number} was settled by another command meanwhile",
                    remedy=f"See: newsletter status {send_record.slug}",
                )
            connection.execute(
                sa.update(send_recipient)
                .where(
                    send_recipient.c.batch_id == unknown_batch.id,
                    send_recipient.c.state == "unknown",
                )
                .values(
                    state=settled.recipient_state,
                    error=settled.message if resolution == "drop" else "",
                )
            )
        return update_send_state(connection, ledger, send_record)


def update_send_state(connection: sa.Connection, ledger: Ledger, send_record: Send) -> str:
    """Give the send the state that its batches call for by now; returns it."""
    own_batches = batch.c.send_id == send_record.id
    still_open = sa.exists().where(own_batches, batch.c.state.in_(OPEN_BATCH_STATES))
    unknown = sa.exists().where(own_batches, batch.c.state == "unknown")
    state, some_open, some_unknown = connection.execute(
        sa.select(send.c.state, still_open, unknown).where(send.c.id == send_record.id)
    ).one()
    after = state_after_resolution(
        state, has_open_batches=some_open, has_unknown_batches=some_unknown
    )
    if after != state:
        finished_at = None if after == "paused" else ledger.clock(connection)
        connection.execute(
            sa.update(send)
            .where(send.c.id == send_record.id, send.c.state == state)
            .values(state=after, finished_at=finished_at)
        )
    return after


def _count_and_sample(connection: sa.Connection, batch_id: int) -> tuple[int, tuple[str, ...]]:
    unknown_recipients = sa.and_(
        send_recipient.c.batch_id == batch_id, send_recipient.c.state == "unknown"
    )
    count = connection.scalar(
        sa.select(sa.func.count()).select_from(send_recipient).where(unknown_recipients)
    )
    some = connection.scalars(
        sa.select(sa.func.coalesce(subscriber.c.address, send_recipient.c.address_key))
        .select_from(
            send_recipient.outerjoin(subscriber, subscriber.c.id == send_recipient.c.subscriber_id)
        )
        .where(unknown_recipients)
        .order_by(send_recipient.c.subscriber_id)
        .limit(SAMPLE_SIZE)
    )
    return count or 0, tuple(some)
