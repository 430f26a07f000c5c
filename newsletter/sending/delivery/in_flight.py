"""Mark batches in flight, renew their leases, release those not sent."""

import hashlib
from collections.abc import Sequence

import sqlalchemy as sa

from newsletter.db.identity import advance_high_water
from newsletter.db.identity_mark import save_high_water
from newsletter.db.migrate import IS_CURRENT_SCHEMA
from newsletter.db.postgresql.timeline import SameTimeline
from newsletter.db.schema import attempt, batch, send
from newsletter.sending.delivery.claim import ClaimedBatch
from newsletter.sending.delivery.compare_and_set import (
    require_owned,
    update_batches,
    update_recipients,
)
from newsletter.sending.delivery.prepare_batch import PreparedBatch
from newsletter.sending.ledger.provider_pause import provider_paused_condition
from newsletter.sending.ledger.record import Ledger

UNSUBSCRIBED_SINCE_REASON = (
    "unsubscribed, paused, opted out of the topic or changed address after the send began"
)

_MAY_SEND = (
    # The lock keeps the send from being stopped before this transaction is committed.
    sa.select(~provider_paused_condition(sa.bindparam("now")))
    .where(
        send.c.id == sa.bindparam("b_send"),
        send.c.state == "running",
        SameTimeline(),
        IS_CURRENT_SCHEMA,
    )
    .with_for_update(read=True)
)
_END_UNSENT_ATTEMPT = (
    sa.update(attempt)
    .where(
        attempt.c.batch_id == sa.bindparam("b_id"),
        attempt.c.number == sa.bindparam("b_attempt"),
        attempt.c.ended_at.is_(None),
        sa.exists().where(
            batch.c.id == sa.bindparam("b_id"),
            batch.c.fence == sa.bindparam("b_fence"),
            batch.c.state == "in_flight",
        ),
    )
    .values(outcome="not_sent")
)


def mark_in_flight(
    ledger: Ledger, prepared_batches: Sequence[PreparedBatch]
) -> list[PreparedBatch] | None:
    """Commit that the requests of these batches are in flight.

    No byte of a request may be sent before this returns.

    Returns:
        The batches to send; a batch without a body is dropped. ``None`` if the send was stopped
        meanwhile, the provider has asked for a pause, or the database has failed over or was
        upgraded: then all of them are ready again.

    Raises:
        SendRefusedError: another sender has taken over a batch.
    """
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        send_id = prepared_batches[0].batch.send_id
        if not connection.scalar(_MAY_SEND, {"b_send": send_id, "now": now}):
            claimed = [prepared.batch for prepared in prepared_batches]
            update_batches(connection, claimed, "claimed", state="ready", lease_until=None)
            return None
        for prepared in prepared_batches:
            update_recipients(
                connection,
                prepared.batch,
                "skipped_late",
                dict.fromkeys(prepared.unsubscribed_since, UNSUBSCRIBED_SINCE_REASON),
            )
            update_recipients(connection, prepared.batch, "rejected", prepared.rejected_recipients)
        to_send = [prepared for prepared in prepared_batches if prepared.body]
        empty = [prepared.batch for prepared in prepared_batches if not prepared.body]
        updated = 0
        for variant in dict.fromkeys(prepared.variant for prepared in to_send):
            updated += update_batches(
                connection,
                [prepared.batch for prepared in to_send if prepared.variant == variant],
                "claimed",
                state="in_flight",
                lease_until=now + ledger.lease,
                **({} if variant is None else {"variant": variant}),
            )
        updated += update_batches(connection, empty, "claimed", state="dropped", lease_until=None)
        require_owned(updated, len(prepared_batches), prepared_batches[0].batch)
        attempts = [
            {
                "batch_id": prepared.batch.id,
                "number": prepared.batch.attempt_number,
                "body_sha": hashlib.sha256(prepared.body).hexdigest(),
                "started_at": now,
            }
            for prepared in to_send
        ]
        if attempts:
            connection.execute(sa.insert(attempt), attempts)
        high_water = advance_high_water(connection) if attempts else None
    save_high_water(ledger.engine, high_water)
    return to_send


def release_unsent(ledger: Ledger, claimed_batches: Sequence[ClaimedBatch]) -> None:
    """Make batches ready again of which no byte was sent, whether marked in flight or not.

    Those that another sender has taken over meanwhile are left alone.
    """
    with ledger.engine.begin() as connection:
        values = [
            {"b_id": item.id, "b_fence": item.fence, "b_attempt": item.attempt_number}
            for item in claimed_batches
        ]
        connection.execute(_END_UNSENT_ATTEMPT.values(ended_at=ledger.clock(connection)), values)
        for state in ("claimed", "in_flight"):
            update_batches(connection, claimed_batches, state, state="ready", lease_until=None)


def renew_leases(ledger: Ledger, claimed_batches: Sequence[ClaimedBatch]) -> None:
    """Renew the leases of batches in flight, so that no other sender takes them over."""
    with ledger.engine.begin() as connection:
        lease_until = ledger.clock(connection) + ledger.lease
        update_batches(connection, claimed_batches, "in_flight", lease_until=lease_until)
