"""Resolve unknown batches by the editor's decision.

A batch is resolved only if it is still the unknown one that the editor was shown.
"""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import OPEN_BATCH_STATES, batch, send, send_recipient, subscriber
from newsletter.errors import NothingToDoError, SendRefusedError
from newsletter.sending.ledger.record import Ledger, Send
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
        number: the number that the editor knows it by.
        reason: what happened.
        recipient_count: how many may or may not have the email.
        sample_addresses: the first addresses, to look up at the provider.
    """

    id: int
    number: int
    reason: str
    recipient_count: int
    sample_addresses: tuple[str, ...]


def list_unknown_batches(ledger: Ledger, send_record: Send) -> list[tuple[int, int, str]]:
    """Return number, recipient count and reason of each unknown batch."""
    query = (
        sa.select(batch.c.number, batch.c.size, batch.c.error)
        .where(batch.c.send_id == send_record.id, batch.c.state == "unknown")
        .order_by(batch.c.number)
    )
    with read_transaction(ledger.engine) as connection:
        return [tuple(row) for row in connection.execute(query)]


def find_unknown_batches(
    ledger: Ledger, send_record: Send, numbers: Sequence[int] = ()
) -> list[UnknownBatch]:
    """Return the unknown batches with these numbers, or all unknown batches.

    Raises:
        NothingToDoError: no batch is unknown.
        SendRefusedError: one of those with the numbers is not.
    """
    is_unknown = sa.and_(batch.c.send_id == send_record.id, batch.c.state == "unknown")
    with read_transaction(ledger.engine) as connection:
        rows = connection.execute(
            sa.select(batch.c.id, batch.c.number, batch.c.error)
            .where(is_unknown, *([batch.c.number.in_(numbers)] if numbers else []))
            .order_by(batch.c.number)
        ).all()
        found = [
            UnknownBatch(row.id, row.number, row.error, *_count_and_sample(connection, row.id))
            for row in rows
        ]
    missing = sorted(set(numbers) - {unknown_batch.number for unknown_batch in found})
    if missing:
        raise SendRefusedError(
            f"batch {', '.join(map(str, missing))} of {send_record.issue} is not unknown; only "
            "unknown batches can be resolved",
            remedy=f"See: newsletter status {send_record.slug}",
        )
    if not found:
        raise NothingToDoError(f"no batch of {send_record.issue} is unknown")
    return found


def resolve_batches(
    ledger: Ledger,
    send_record: Send,
    unknown_batches: Sequence[UnknownBatch],
    resolution: Resolution,
) -> str:
    """Resolve unknown batches; return the state of the send afterwards.

    Raises:
        SendRefusedError: one of them is no longer unknown, or a cancelled send would be resumed.
            Nothing is written then.
    """
    resolved = RESOLVED_STATES[resolution]
    if resolution == "resend" and send_record.state == "cancelled":
        raise SendRefusedError(
            f"{send_record.issue} was cancelled: nothing more of it is sent",
            remedy="Resolve it with --accepted or --drop.",
        )
    with ledger.engine.begin() as connection:
        for unknown_batch in unknown_batches:
            updated = connection.execute(
                sa.update(batch)
                .where(batch.c.id == unknown_batch.id, batch.c.state == "unknown")
                .values(
                    state=resolved.batch_state, error=resolved.message, attempts=0, retry_at=None
                )
            )
            if updated.rowcount != 1:
                raise SendRefusedError(
                    f"batch {unknown_batch.number} was resolved by another command meanwhile",
                    remedy=f"See: newsletter status {send_record.slug}",
                )
            connection.execute(
                sa.update(send_recipient)
                .where(
                    send_recipient.c.batch_id == unknown_batch.id,
                    send_recipient.c.state == "unknown",
                )
                .values(
                    state=resolved.recipient_state,
                    error=resolved.message if resolution == "drop" else "",
                )
            )
        return update_send_state(connection, ledger, send_record)


def update_send_state(connection: sa.Connection, ledger: Ledger, send_record: Send) -> str:
    """Set the state of the send that follows from its batches; return it.

    One that was held before its time waits for that again: resumed, it would go at once.
    """
    in_send = batch.c.send_id == send_record.id
    has_open = sa.exists().where(in_send, batch.c.state.in_(OPEN_BATCH_STATES))
    has_unknown = sa.exists().where(in_send, batch.c.state == "unknown")
    state, has_open_batches, has_unknown_batches = connection.execute(
        sa.select(send.c.state, has_open, has_unknown).where(send.c.id == send_record.id)
    ).one()
    new_state = state_after_resolution(
        state, has_open_batches=has_open_batches, has_unknown_batches=has_unknown_batches
    )
    if new_state != state:
        now = ledger.clock(connection)
        values = {"state": new_state, "finished_at": None if new_state == "paused" else now}
        if new_state == "paused" and connection.scalar(_select_still_scheduled(send_record, now)):
            new_state = "frozen"
            values |= {"state": new_state, "reason": ""}
        connection.execute(
            sa.update(send).where(send.c.id == send_record.id, send.c.state == state).values(values)
        )
    return new_state


def _select_still_scheduled(send_record: Send, now: datetime.datetime) -> sa.Select[bool]:
    """Select whether a send waits here for its time: it was held, and nothing of it was sent."""
    is_begun = sa.exists().where(
        batch.c.send_id == send_record.id, batch.c.state.not_in(("ready", "unknown", "dropped"))
    )
    return sa.select(
        sa.and_(send.c.scheduled_at > now, send.c.provider_batch_id == "", ~is_begun)
    ).where(send.c.id == send_record.id)


def _count_and_sample(connection: sa.Connection, batch_id: int) -> tuple[int, tuple[str, ...]]:
    is_unknown = sa.and_(send_recipient.c.batch_id == batch_id, send_recipient.c.state == "unknown")
    count = connection.scalar(
        sa.select(sa.func.count()).select_from(send_recipient).where(is_unknown)
    )
    sample = connection.scalars(
        sa.select(sa.func.coalesce(subscriber.c.address, send_recipient.c.address_key))
        .select_from(
            send_recipient.outerjoin(subscriber, subscriber.c.id == send_recipient.c.subscriber_id)
        )
        .where(is_unknown)
        .order_by(send_recipient.c.subscriber_id)
        .limit(SAMPLE_SIZE)
    )
    return count or 0, tuple(sample)
