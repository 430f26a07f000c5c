"""Pause or cancel a send, retry rejected recipients.

State changes requested by the editor.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from newsletter.db.schema import batch, send, send_recipient
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.ledger.state_machine import SendCommand, next_state

MANUAL_STOP_REASON = "stopped by hand"
CANCELLED_REASON = "cancelled before it was sent"


def pause_send(ledger: Ledger, send_record: Send) -> None:
    """Let no sender claim another batch; what is in flight is finished."""
    with ledger.engine.begin() as connection:
        _change_send_state(connection, ledger, send_record, "pause")


def cancel_send(ledger: Ledger, send_record: Send) -> int:
    """Give up all that has not left; returns how many readers that are.

    What is in flight is finished and counts. Mail that SendGrid holds is another matter:
    see ``newsletter.sending.providers.sendgrid.scheduled_sends``.
    """
    own_batches = batch.c.send_id == send_record.id
    idle = sa.and_(own_batches, batch.c.state.in_(("ready", "claimed")))
    given_up = sa.select(batch.c.id).where(
        own_batches, batch.c.state == "dropped", batch.c.error == CANCELLED_REASON
    )
    with ledger.engine.begin() as connection:
        _change_send_state(connection, ledger, send_record, "cancel")
        # The batches first: from then on no sender can let one of them leave.
        connection.execute(
            sa.update(batch)
            .where(idle)
            .values(
                state="dropped", lease_until=None, error=CANCELLED_REASON, fence=batch.c.fence + 1
            )
        )
        return connection.execute(
            sa.update(send_recipient)
            .where(send_recipient.c.batch_id.in_(given_up), send_recipient.c.state == "pending")
            .values(state="dropped", error=CANCELLED_REASON)
        ).rowcount


def mark_recalled(ledger: Ledger, send_record: Send) -> None:
    """Write down that SendGrid has taken back what it held."""
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        connection.execute(
            sa.update(send).where(send.c.id == send_record.id).values(recalled_at=now)
        )


def retry_rejected(ledger: Ledger, send_record: Send, batch_size: int) -> int:
    """Put all readers who were rejected into new batches; returns how many they are.

    A rejected reader has never had the mail: SendGrid takes no part of a request that it
    refuses.

    Args:
        ledger: the record.
        send_record: the send; it is paused afterwards.
        batch_size: readers in a batch, at most.
    """
    rejected = (
        sa.select(send_recipient.c.subscriber_id, send_recipient.c.batch_id)
        .where(send_recipient.c.send_id == send_record.id, send_recipient.c.state == "rejected")
        .order_by(send_recipient.c.subscriber_id)
    )
    with ledger.engine.begin() as connection:
        _change_send_state(connection, ledger, send_record, "retry")
        readers = connection.execute(rejected).all()
        if not readers:
            raise SendRefusedError(f"no reader of {send_record.issue} was rejected")
        for start in range(0, len(readers), batch_size):
            some = readers[start : start + batch_size]
            _insert_retry_batch(
                connection, send_record, some[0].batch_id, [row.subscriber_id for row in some]
            )
    return len(readers)


def _change_send_state(
    connection: sa.Connection, ledger: Ledger, send_record: Send, command: SendCommand
) -> None:
    """From the state that ``of`` was seen in, or not at all."""
    state = next_state(command, send_record, ledger.clock(connection))
    moved = connection.execute(
        sa.update(send)
        .where(send.c.id == send_record.id, send.c.state == send_record.state)
        .values(state=state, reason=MANUAL_STOP_REASON)
    )
    if moved.rowcount != 1:
        raise SendRefusedError(
            f"{send_record.issue} is no longer what it was a moment ago",
            remedy=f"See: newsletter status {send_record.slug}",
        )


def _insert_retry_batch(
    connection: sa.Connection, send_record: Send, parent_id: int, subscriber_ids: Sequence[int]
) -> None:
    highest = sa.select(sa.func.max(batch.c.number)).where(batch.c.send_id == send_record.id)
    values = {
        "send_id": send_record.id,
        "parent_id": parent_id,
        "number": connection.execute(highest).scalar_one() + 1,
        "size": len(subscriber_ids),
        "state": "ready",
    }
    made = connection.execute(sa.insert(batch).values(values).returning(batch.c.id)).scalar_one()
    connection.execute(
        sa.update(send_recipient)
        .where(
            send_recipient.c.send_id == send_record.id,
            send_recipient.c.subscriber_id.in_(subscriber_ids),
            send_recipient.c.state == "rejected",
        )
        .values(batch_id=made, state="pending", error="")
    )
