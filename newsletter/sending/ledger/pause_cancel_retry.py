"""Pause or cancel a send, retry rejected recipients.

State changes requested by the editor.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import MAYBE_SENT_BATCH_STATES, batch, send, send_recipient
from newsletter.errors import NothingToDoError
from newsletter.sending.ledger.copied_database import require_adopted, require_recall_allowed
from newsletter.sending.ledger.record import Ledger, Send, changed_meanwhile_error
from newsletter.sending.ledger.send_phase import is_recallable
from newsletter.sending.ledger.state_machine import SendCommand, next_state

MANUAL_STOP_REASON = "stopped by hand"
CANCELLED_REASON = "cancelled before it was sent"


def pause_send(ledger: Ledger, send_record: Send) -> None:
    """Keep senders from claiming another batch; requests in flight are completed."""
    with ledger.engine.begin() as connection:
        _change_send_state(connection, ledger, send_record, "pause")


def cancel_send(ledger: Ledger, send_record: Send) -> int:
    """Drop every batch that was not sent; return how many recipients were in them.

    Requests in flight are completed and counted. What the provider holds is cancelled by
    ``newsletter.sending.recall``; the id for it is kept only if it may hold anything.

    Raises:
        SendRefusedError: the send can't be cancelled in its state, or was changed meanwhile; or
            the provider may hold it for the original of this database, which is a copy.
    """
    in_send = batch.c.send_id == send_record.id
    not_sent = sa.and_(in_send, batch.c.state.in_(("ready", "claimed")))
    cancelled_batches = sa.select(batch.c.id).where(
        in_send, batch.c.state == "dropped", batch.c.error == CANCELLED_REASON
    )
    with ledger.engine.begin() as connection:
        if is_recallable(send_record, ledger.clock(connection)):
            require_recall_allowed(connection, send_record.issue)
        _change_send_state(connection, ledger, send_record, "cancel")
        # The batches first: the new fence keeps every sender from marking one of them in flight.
        connection.execute(
            sa.update(batch)
            .where(not_sent)
            .values(
                state="dropped", lease_until=None, error=CANCELLED_REASON, fence=batch.c.fence + 1
            )
        )
        may_be_held = sa.exists().where(in_send, batch.c.state.in_(MAYBE_SENT_BATCH_STATES))
        connection.execute(
            sa.update(send)
            .where(send.c.id == send_record.id, ~may_be_held)
            .values(provider_batch_id="")
        )
        return connection.execute(
            sa.update(send_recipient)
            .where(
                send_recipient.c.batch_id.in_(cancelled_batches),
                send_recipient.c.state == "pending",
            )
            .values(state="dropped", error=CANCELLED_REASON)
        ).rowcount


def retry_rejected(ledger: Ledger, send_record: Send, batch_size: int) -> int:
    """Put all rejected recipients into new batches; return how many there are.

    A rejected recipient has never been sent the email: the provider accepts no part of a request
    that it rejects.

    Args:
        ledger: the ledger.
        send_record: the send; it is paused afterwards.
        batch_size: the most recipients in a batch.

    Raises:
        NothingToDoError: no recipient was rejected.
        SendRefusedError: the send can't be retried in its state, or the database is a copy that
            has not been adopted.
    """
    rejected_query = (
        sa.select(
            send_recipient.c.subscriber_id, send_recipient.c.batch_id, send_recipient.c.variant
        )
        .where(send_recipient.c.send_id == send_record.id, send_recipient.c.state == "rejected")
        .order_by(send_recipient.c.variant, send_recipient.c.subscriber_id)
    )
    with ledger.engine.begin() as connection:
        require_adopted(connection)
        _change_send_state(connection, ledger, send_record, "retry")
        rejected = connection.execute(rejected_query).all()
        if not rejected:
            raise NothingToDoError(
                f"{send_record.provider_name} refused no reader of {send_record.issue}"
            )
        # Those who have agreed to be tracked and those who haven't stay apart.
        for _, group in groupby(rejected, attrgetter("variant")):
            rows = [*group]
            for start in range(0, len(rows), batch_size):
                _insert_retry_batch(connection, send_record, rows[start : start + batch_size])
    return len(rejected)


def _change_send_state(
    connection: sa.Connection, ledger: Ledger, send_record: Send, command: SendCommand
) -> None:
    """Change the state, but only if it is still that of ``send_record`` (compare-and-set)."""
    state = next_state(command, send_record, ledger.clock(connection))
    updated = connection.execute(
        sa.update(send)
        .where(send.c.id == send_record.id, send.c.state == send_record.state)
        .values(state=state, reason=MANUAL_STOP_REASON)
    )
    if updated.rowcount != 1:
        raise changed_meanwhile_error(send_record)


def _insert_retry_batch(
    connection: sa.Connection, send_record: Send, recipients: Sequence[Any]
) -> None:
    subscriber_ids = [recipient.subscriber_id for recipient in recipients]
    highest = sa.select(sa.func.max(batch.c.number)).where(batch.c.send_id == send_record.id)
    values = {
        "send_id": send_record.id,
        "parent_id": recipients[0].batch_id,
        "number": connection.execute(highest).scalar_one() + 1,
        "size": len(subscriber_ids),
        "state": "ready",
        "variant": recipients[0].variant,
    }
    batch_id = connection.execute(
        sa.insert(batch).values(values).returning(batch.c.id)
    ).scalar_one()
    connection.execute(
        sa.update(send_recipient)
        .where(
            send_recipient.c.send_id == send_record.id,
            send_recipient.c.subscriber_id.in_(subscriber_ids),
            send_recipient.c.state == "rejected",
        )
        .values(batch_id=batch_id, state="pending", error="")
    )
