"""Writes down what came of requests: all that are back at once, each as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import attempt, batch, send_recipient
from newsletter.sending.delivery.claim import Batch, must_be, set_aside
from newsletter.sending.ledger.provider_pause import pause_everybody
from newsletter.sending.ledger.record import Ledger, halt_in
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.retry_policy import Step


@dataclass(frozen=True, slots=True)
class Settled:
    """A request that is back.

    Attributes:
        batch: as claimed.
        readers: whose mail it is, ids in the order of its personalizations.
        outcome: what it came to.
        step: what becomes of the batch.
    """

    batch: Batch
    readers: tuple[int, ...]
    outcome: Outcome
    step: Step


_ENDED = (
    sa.update(attempt)
    .where(
        attempt.c.batch_id == sa.bindparam("b_id"),
        attempt.c.n == sa.bindparam("b_attempt"),
        attempt.c.ended.is_(None),
    )
    .values(
        ended=sa.bindparam("now"),
        http_status=sa.bindparam("status"),
        message_id=sa.bindparam("vendor_id"),
        outcome=sa.bindparam("attempt_outcome"),
    )
)
_MOVED = (
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
_READERS = (
    sa.update(send_recipient)
    .where(
        send_recipient.c.batch_id == sa.bindparam("r_batch"), send_recipient.c.state == "pending"
    )
    .values(state=sa.bindparam("r_state"), error=sa.bindparam("r_error"))
)


def settle(ledger: Ledger, back: Sequence[Settled]) -> None:
    """Write down what came of requests, all of it or nothing.

    Raises:
        SendRefused: a batch is another's by now.
    """
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        _all_of(connection, _ENDED, [{**_as_attempt(one), "now": now} for one in back], back)
        _all_of(connection, _MOVED, [_as_batch(one) for one in back], back)
        for one in back:
            rejected = {one.readers[index]: why for index, why in one.step.rejected.items()}
            set_aside(connection, one.batch, "rejected", rejected)
            if one.step.batch == "split":
                _split(connection, one)
            if one.outcome.kind == "throttled" and one.step.retry_at:
                pause_everybody(connection, one.step.retry_at)
            if one.step.halt:
                halt_in(connection, one.batch.send_id, one.step.halt, one.outcome.words)
        through = [one for one in back if one.step.readers != "pending"]
        if through:
            moved = connection.execute(_READERS, [_as_readers(one) for one in through]).rowcount
            must_be(moved, sum(len(one.readers) for one in through), through[0].batch)


def _all_of(
    connection: sa.Connection,
    statement: sa.Update,
    rows: list[dict[str, Any]],
    back: Sequence[Settled],
) -> None:
    must_be(connection.execute(statement, rows).rowcount, len(rows), back[0].batch)


def _as_attempt(one: Settled) -> dict[str, Any]:
    return {
        "b_id": one.batch.id,
        "b_attempt": one.batch.attempt,
        "status": one.outcome.status,
        "vendor_id": one.outcome.message_id,
        "attempt_outcome": one.step.outcome,
    }


def _as_batch(one: Settled) -> dict[str, Any]:
    return {
        "b_id": one.batch.id,
        "b_fence": one.batch.fence,
        "b_state": one.step.batch,
        "b_attempts": one.batch.attempts + one.step.charged,
        "b_retry_at": one.step.retry_at,
        "b_error": one.outcome.words,
    }


def _as_readers(one: Settled) -> dict[str, Any]:
    return {
        "r_batch": one.batch.id,
        "r_state": one.step.readers,
        "r_error": one.outcome.words if one.step.readers == "rejected" else "",
    }


def _split(connection: sa.Connection, one: Settled) -> None:
    held, readers = one.batch, one.readers
    highest = sa.select(sa.func.max(batch.c.number)).where(batch.c.send_id == held.send_id)
    number = connection.execute(highest).scalar_one()
    middle = (len(readers) + 1) // 2
    for half in (readers[:middle], readers[middle:]):
        number += 1
        values = {"send_id": held.send_id, "parent_id": held.id, "number": number}
        child = sa.insert(batch).values(**values, size=len(half), state="ready")
        child_id = connection.execute(child.returning(batch.c.id)).scalar_one()
        moved = connection.execute(
            sa.update(send_recipient)
            .where(
                send_recipient.c.send_id == held.send_id,
                send_recipient.c.batch_id == held.id,
                send_recipient.c.state == "pending",
                send_recipient.c.subscriber_id.in_(half),
            )
            .values(batch_id=child_id)
        )
        must_be(moved.rowcount, len(half), held)
