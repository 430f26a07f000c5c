"""Record the results of requests in the ledger.

All completed requests in one transaction: all of it is recorded, or nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import attempt, batch, send_recipient
from newsletter.sending.delivery.claim import ClaimedBatch
from newsletter.sending.delivery.compare_and_set import NO_REASON, require_owned, update_recipients
from newsletter.sending.ledger.provider_pause import pause_provider
from newsletter.sending.ledger.record import Ledger, stop_send_in_transaction
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.retry_policy import BatchAction


@dataclass(frozen=True, slots=True)
class BatchResult:
    """A completed request and what follows from it.

    Attributes:
        batch: the claimed batch.
        recipient_ids: subscriber ids of its recipients, in the order of its personalizations.
        outcome: what the response proves.
        action: the next states of the batch, its recipients and the send.
    """

    batch: ClaimedBatch
    recipient_ids: tuple[int, ...]
    outcome: Outcome
    action: BatchAction


_END_ATTEMPT = (
    sa.update(attempt)
    .where(
        attempt.c.batch_id == sa.bindparam("b_id"),
        attempt.c.number == sa.bindparam("b_attempt"),
        attempt.c.ended_at.is_(None),
    )
    .values(
        ended_at=sa.bindparam("now"),
        http_status=sa.bindparam("status"),
        message_id=sa.bindparam("b_message_id"),
        outcome=sa.bindparam("attempt_outcome"),
    )
)
_CLOSE_BATCH = (
    sa.update(batch)
    .where(
        batch.c.id == sa.bindparam("b_id"),
        batch.c.fence == sa.bindparam("b_fence"),
        batch.c.state == "in_flight",
    )
    .values(
        state=sa.bindparam("b_state"),
        attempts=sa.bindparam("b_attempts"),
        retry_at=sa.bindparam("b_retry_at"),
        lease_until=None,
        error=sa.bindparam("b_error"),
    )
)
_UPDATE_RECIPIENTS = (
    sa.update(send_recipient)
    .where(
        send_recipient.c.batch_id == sa.bindparam("r_batch"), send_recipient.c.state == "pending"
    )
    .values(state=sa.bindparam("r_state"), error=sa.bindparam("r_error"))
)


def record_batch_results(ledger: Ledger, results: Sequence[BatchResult]) -> None:
    """Record the results of requests in one transaction: all of them or none.

    Raises:
        SendRefusedError: another sender has taken over a batch.
    """
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        _execute_owned(
            connection,
            _END_ATTEMPT,
            [{**_attempt_values(result), "now": now} for result in results],
            results,
        )
        _execute_owned(
            connection, _CLOSE_BATCH, [_batch_values(result) for result in results], results
        )
        for result in results:
            action = result.action
            rejected = {
                result.recipient_ids[index]: error
                for index, error in action.recipient_errors.items()
            }
            update_recipients(connection, result.batch, "rejected", rejected)
            if action.batch_state == "split":
                _split_batch(connection, result)
            if result.outcome.kind == "throttled" and action.retry_at:
                pause_provider(connection, action.retry_at)
            if action.stop_state:
                stop_send_in_transaction(
                    connection, result.batch.send_id, action.stop_state, result.outcome.message
                )
        completed = [result for result in results if result.action.recipient_state != "pending"]
        if completed:
            updated = connection.execute(
                _UPDATE_RECIPIENTS, [_recipient_values(result) for result in completed]
            ).rowcount
            expected = sum(len(result.recipient_ids) for result in completed)
            require_owned(updated, expected, completed[0].batch)


def find_recorded(ledger: Ledger, results: Sequence[BatchResult]) -> set[int]:
    """Return the ids of the batches whose results are recorded already, as they are given."""
    query = (
        sa.select(batch.c.id, batch.c.fence, attempt.c.number, attempt.c.outcome)
        .join(attempt, attempt.c.batch_id == batch.c.id)
        .where(
            batch.c.id.in_([result.batch.id for result in results]), batch.c.state != "in_flight"
        )
    )
    with read_transaction(ledger.engine) as connection:
        rows = {tuple(row) for row in connection.execute(query)}
    return {
        result.batch.id
        for result in results
        if (
            result.batch.id,
            result.batch.fence,
            result.batch.attempt_number,
            result.action.attempt_outcome,
        )
        in rows
    }


def _execute_owned(
    connection: sa.Connection,
    statement: sa.Update,
    rows: list[dict[str, Any]],
    results: Sequence[BatchResult],
) -> None:
    require_owned(connection.execute(statement, rows).rowcount, len(rows), results[0].batch)


def _attempt_values(result: BatchResult) -> dict[str, Any]:
    return {
        "b_id": result.batch.id,
        "b_attempt": result.batch.attempt_number,
        "status": result.outcome.status,
        "b_message_id": result.outcome.message_id,
        "attempt_outcome": result.action.attempt_outcome,
    }


def _batch_values(result: BatchResult) -> dict[str, Any]:
    return {
        "b_id": result.batch.id,
        "b_fence": result.batch.fence,
        "b_state": result.action.batch_state,
        "b_attempts": result.batch.failed_attempts + result.action.counts_against_limit,
        "b_retry_at": result.action.retry_at,
        "b_error": result.outcome.message,
    }


def _recipient_values(result: BatchResult) -> dict[str, Any]:
    is_rejected = result.action.recipient_state == "rejected"
    return {
        "r_batch": result.batch.id,
        "r_state": result.action.recipient_state,
        "r_error": (result.outcome.message or NO_REASON) if is_rejected else "",
    }


def _split_batch(connection: sa.Connection, result: BatchResult) -> None:
    """Put the pending recipients of a batch into two new batches."""
    parent, recipient_ids = result.batch, result.recipient_ids
    highest = sa.select(sa.func.max(batch.c.number)).where(batch.c.send_id == parent.send_id)
    number = connection.execute(highest).scalar_one()
    # As it was requested, which may be less than what it was planned for.
    variant = connection.scalar(sa.select(batch.c.variant).where(batch.c.id == parent.id))
    middle = (len(recipient_ids) + 1) // 2
    for half in (recipient_ids[:middle], recipient_ids[middle:]):
        number += 1
        values = {
            "send_id": parent.send_id,
            "parent_id": parent.id,
            "number": number,
            "variant": variant,
        }
        child = sa.insert(batch).values(**values, size=len(half), state="ready")
        child_id = connection.execute(child.returning(batch.c.id)).scalar_one()
        updated = connection.execute(
            sa.update(send_recipient)
            .where(
                send_recipient.c.send_id == parent.send_id,
                send_recipient.c.batch_id == parent.id,
                send_recipient.c.state == "pending",
                send_recipient.c.subscriber_id.in_(half),
            )
            .values(batch_id=child_id)
        )
        require_owned(updated.rowcount, len(half), parent)
