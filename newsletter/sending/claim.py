"""One batch at a time: claim it, say that it leaves, write down what came of it.

Each write finds its row in the state that it must be in, or stops this sender: the row is then
another's.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import attempt, batch, send, send_recipient
from newsletter.errors import SendRefused
from newsletter.sending.ledger import Ledger, Send, halt_in
from newsletter.sending.pace import hold_back
from newsletter.sending.verdict import Outcome, Step
from newsletter.subscribers import Reader, still_in_audience

LATE = "left the list, or changed address, after the send began"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that this sender has claimed.

    Attributes:
        id: in the ledger.
        send_id: of its send.
        number: 1 for the send's first.
        attempts: how many failed ones were charged to it.
        attempt: the number that its next request will have.
        fence: goes up with every claim; a sender with an old one has lost the batch.
    """

    id: int
    send_id: int
    number: int
    attempts: int
    attempt: int
    fence: int


def claim(ledger: Ledger, of: Send) -> Batch | None:
    """Take the next batch that is ready, if the send is running; no two senders get the same."""
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        due = sa.and_(
            sa.or_(batch.c.retry_at.is_(None), batch.c.retry_at <= now),
            sa.or_(batch.c.not_before.is_(None), batch.c.not_before <= now),
        )
        free = (
            sa.select(batch.c.id)
            .where(batch.c.send_id == of.id, batch.c.state == "ready", due, _running(of.id))
            .order_by(batch.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        taken = connection.execute(
            sa.update(batch)
            .where(batch.c.id == free.scalar_subquery(), batch.c.state == "ready")
            .values(state="claimed", fence=batch.c.fence + 1, lease_until=now + ledger.lease)
            .returning(batch.c.id, batch.c.number, batch.c.attempts, batch.c.fence, batch.c.size)
        ).one_or_none()
        if taken is None:
            return None
        if of.limit_per_hour and (until := hold_back(connection, of, taken.size, now)):
            back = sa.update(batch).where(batch.c.id == taken.id)
            connection.execute(back.values(state="ready", lease_until=None, not_before=until))
            return None
        latest = sa.select(sa.func.max(attempt.c.n)).where(attempt.c.batch_id == taken.id)
        n = (connection.scalar(latest) or 0) + 1
    return Batch(taken.id, of.id, taken.number, taken.attempts, n, taken.fence)


def readers_of(ledger: Ledger, held: Batch) -> tuple[Reader, ...]:
    """Who in the batch is still to be mailed, in the list's order.

    Whoever has left the list since the freeze is set aside now, as ``skipped_late``.
    """
    query = (
        sa.select(send_recipient.c.subscriber_id, send_recipient.c.address_key)
        .where(send_recipient.c.batch_id == held.id, send_recipient.c.state == "pending")
        .order_by(send_recipient.c.subscriber_id)
    )
    with ledger.engine.begin() as connection:
        frozen: dict[int, str] = dict(connection.execute(query).all())
        readers = tuple(
            reader
            for reader in still_in_audience(connection, list(frozen))
            # A new address may be another frozen reader's: nobody gets two.
            if reader.address_key == frozen[reader.id]
        )
        late = frozen.keys() - {reader.id for reader in readers}
        _set_aside(connection, held, "skipped_late", dict.fromkeys(late, LATE))
    return readers


def reject(ledger: Ledger, held: Batch, unfit: Mapping[int, str]) -> None:
    """Set readers of a claimed batch aside: subscriber id -> why no request can hold them."""
    with ledger.engine.begin() as connection:
        _set_aside(connection, held, "rejected", unfit)


def drop(ledger: Ledger, held: Batch) -> None:
    """Close a claimed batch in which nobody is left to mail."""
    with ledger.engine.begin() as connection:
        _move(connection, held, "claimed", state="dropped", lease_until=None)


def depart(ledger: Ledger, held: Batch, body: bytes) -> None:
    """Say, for good, that the request leaves now. Only after this may its first byte go.

    Raises:
        SendRefused: the batch is another's by now, or the send was stopped.
    """
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        _move(
            connection, held, "claimed", _running(held.send_id),
            state="in_flight", lease_until=now + ledger.lease,
        )  # fmt: skip
        connection.execute(
            sa.insert(attempt).values(
                batch_id=held.id,
                n=held.attempt,
                body_sha=hashlib.sha256(body).hexdigest(),
                started=now,
            )
        )


def settle(
    ledger: Ledger, held: Batch, readers: Sequence[Reader], outcome: Outcome, step: Step
) -> None:
    """Write down what came of the request, all of it at once.

    Raises:
        SendRefused: the batch is another's by now.
    """
    with ledger.engine.begin() as connection:
        ended = connection.execute(
            sa.update(attempt)
            .where(
                attempt.c.batch_id == held.id,
                attempt.c.n == held.attempt,
                attempt.c.ended.is_(None),
            )
            .values(
                ended=ledger.clock(connection),
                http_status=outcome.status,
                message_id=outcome.message_id,
                outcome=step.outcome,
            )
        )
        _must_be_one(ended.rowcount, held)
        _move(
            connection, held, "in_flight",
            state=step.batch,
            attempts=held.attempts + step.charged,
            retry_at=step.retry_at,
            lease_until=None,
            error=outcome.words,
        )  # fmt: skip
        rejected = {readers[index].id: words for index, words in step.rejected.items()}
        _set_aside(connection, held, "rejected", rejected)
        if step.readers != "pending":
            words = outcome.words if step.readers == "rejected" else ""
            connection.execute(_pending(held).values(state=step.readers, error=words))
        if step.batch == "split":
            _split(connection, held, [reader.id for reader in readers])
        if step.halt:
            halt_in(connection, held.send_id, step.halt, outcome.words)


def _running(send_id: int) -> sa.ColumnElement[bool]:
    return sa.exists().where(send.c.id == send_id, send.c.state == "running")


def _move(
    connection: sa.Connection,
    held: Batch,
    before: str,
    *conditions: sa.ColumnElement[bool],
    **values: Any,
) -> None:
    mine = (batch.c.id == held.id, batch.c.state == before, batch.c.fence == held.fence)
    moved = connection.execute(sa.update(batch).where(*mine, *conditions).values(**values))
    _must_be_one(moved.rowcount, held)


def _must_be_one(rows: int, held: Batch) -> None:
    if rows != 1:
        raise SendRefused(
            f"batch {held.number} is no longer this sender's",
            remedy="Another sender has it, or the send was stopped. Run newsletter send again.",
        )


def _pending(held: Batch) -> sa.Update:
    return sa.update(send_recipient).where(
        send_recipient.c.batch_id == held.id, send_recipient.c.state == "pending"
    )


def _set_aside(
    connection: sa.Connection, held: Batch, state: str, readers: Mapping[int, str]
) -> None:
    for subscriber_id, why in readers.items():
        mine = _pending(held).where(send_recipient.c.subscriber_id == subscriber_id)
        moved = connection.execute(mine.values(state=state, error=why))
        _must_be_one(moved.rowcount, held)


def _split(connection: sa.Connection, held: Batch, readers: Sequence[int]) -> None:
    highest = sa.select(sa.func.max(batch.c.number)).where(batch.c.send_id == held.send_id)
    number = connection.execute(highest).scalar_one()
    middle = (len(readers) + 1) // 2
    for half in (readers[:middle], readers[middle:]):
        number += 1
        values = {"send_id": held.send_id, "parent_id": held.id, "number": number}
        child = sa.insert(batch).values(**values, size=len(half), state="ready")
        child_id = connection.execute(child.returning(batch.c.id)).scalar_one()
        moved = connection.execute(
            _pending(held).where(send_recipient.c.subscriber_id.in_(half)).values(batch_id=child_id)
        )
        if moved.rowcount != len(half):
            _must_be_one(0, held)
