"""What an editor does to a send that is under way: pause it, cancel it, try the refused again."""

from collections.abc import Sequence

import sqlalchemy as sa

from newsletter.db.schema import batch, send, send_recipient
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.ledger.state_machine import Command, next_state

BY_HAND = "stopped by hand"
CANCELLED = "cancelled before it was sent"


def pause(ledger: Ledger, of: Send) -> None:
    """Let no sender claim another batch; what is in flight is finished."""
    with ledger.engine.begin() as connection:
        _move(connection, ledger, of, "pause")


def cancel(ledger: Ledger, of: Send) -> int:
    """Give up all that has not left; returns how many readers that are.

    What is in flight is finished and counts. Mail that SendGrid holds is another matter:
    see ``newsletter.sending.providers.sendgrid.scheduled_sends``.
    """
    mine = batch.c.send_id == of.id
    idle = sa.and_(mine, batch.c.state.in_(("ready", "claimed")))
    given_up = sa.select(batch.c.id).where(
        mine, batch.c.state == "dropped", batch.c.error == CANCELLED
    )
    with ledger.engine.begin() as connection:
        _move(connection, ledger, of, "cancel")
        # The batches first: from then on no sender can let one of them leave.
        connection.execute(
            sa.update(batch)
            .where(idle)
            .values(state="dropped", lease_until=None, error=CANCELLED, fence=batch.c.fence + 1)
        )
        return connection.execute(
            sa.update(send_recipient)
            .where(send_recipient.c.batch_id.in_(given_up), send_recipient.c.state == "pending")
            .values(state="dropped", error=CANCELLED)
        ).rowcount


def recalled(ledger: Ledger, of: Send) -> None:
    """Write down that SendGrid has taken back what it held."""
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        connection.execute(sa.update(send).where(send.c.id == of.id).values(recalled_at=now))


def retry(ledger: Ledger, of: Send, size: int) -> int:
    """Put all readers who were rejected into new batches; returns how many they are.

    A rejected reader has never had the mail: SendGrid takes no part of a request that it
    refuses.

    Args:
        ledger: the record.
        of: the send; it is paused afterwards.
        size: readers in a batch, at most.
    """
    rejected = (
        sa.select(send_recipient.c.subscriber_id, send_recipient.c.batch_id)
        .where(send_recipient.c.send_id == of.id, send_recipient.c.state == "rejected")
        .order_by(send_recipient.c.subscriber_id)
    )
    with ledger.engine.begin() as connection:
        _move(connection, ledger, of, "retry")
        readers = connection.execute(rejected).all()
        if not readers:
            raise SendRefusedError(f"no reader of {of.issue} was rejected")
        for start in range(0, len(readers), size):
            some = readers[start : start + size]
            _new_batch(connection, of, some[0].batch_id, [row.subscriber_id for row in some])
    return len(readers)


def _move(connection: sa.Connection, ledger: Ledger, of: Send, command: Command) -> None:
    """From the state that ``of`` was seen in, or not at all."""
    state = next_state(command, of, ledger.clock(connection))
    moved = connection.execute(
        sa.update(send)
        .where(send.c.id == of.id, send.c.state == of.state)
        .values(state=state, reason=BY_HAND)
    )
    if moved.rowcount != 1:
        raise SendRefusedError(
            f"{of.issue} is no longer what it was a moment ago",
            remedy=f"See: newsletter status {of.slug}",
        )


def _new_batch(connection: sa.Connection, of: Send, parent_id: int, readers: Sequence[int]) -> None:
    highest = sa.select(sa.func.max(batch.c.number)).where(batch.c.send_id == of.id)
    values = {
        "send_id": of.id,
        "parent_id": parent_id,
        "number": connection.execute(highest).scalar_one() + 1,
        "size": len(readers),
        "state": "ready",
    }
    made = connection.execute(sa.insert(batch).values(values).returning(batch.c.id)).scalar_one()
    connection.execute(
        sa.update(send_recipient)
        .where(
            send_recipient.c.send_id == of.id,
            send_recipient.c.subscriber_id.in_(readers),
            send_recipient.c.state == "rejected",
        )
        .values(batch_id=made, state="pending", error="")
    )
