"""Settles what is unknown by evidence: an event that names an attempt proves that it was taken."""

import datetime
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import attempt, batch, event, send_recipient
from newsletter.sending.ledger.leases import sweep
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.ledger.resolve import close
from newsletter.sending.ledger.state_machine import Verdict, evidence

PROVEN = "accepted: SendGrid's events name it"
# Whatever is older than the attempt is about another mail; clocks may differ by so much.
SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What evidence has settled.

    Attributes:
        state: of the send, afterwards.
        batches: numbers of the batches that turned out to be accepted.
        readers: how many became accepted by that.
        twice: numbers of the batches that were taken once more than they should.
        waiting: numbers of those that a sender is at work on.
    """

    state: str
    batches: tuple[int, ...]
    readers: int
    twice: tuple[int, ...]
    waiting: tuple[int, ...]


def reconcile(ledger: Ledger, of: Send) -> Reconciled:
    """Believe the events on record; may be done as often as one likes."""
    sweep(ledger, of)
    batches: dict[Verdict, list[int]] = {"accepted": [], "known": [], "twice": [], "wait": []}
    readers = 0
    with ledger.engine.begin() as connection:
        for one in connection.execute(_named(of)).all():
            if one.latest < one.started - SKEW:
                continue
            verdict = evidence(one.state, one.outcome, later=one.later)
            if verdict == "accepted":
                readers += _accept(connection, one.id)
            batches[verdict].append(one.number)
        state = close(connection, ledger, of)
    return Reconciled(
        state,
        batches=tuple(batches["accepted"]),
        readers=readers,
        twice=tuple(batches["twice"]),
        waiting=tuple(batches["wait"]),
    )


def _named(of: Send) -> sa.Select[Any]:
    """The attempts not known to be accepted that events name, each with its batch."""
    again = attempt.alias()
    later = sa.exists().where(
        again.c.batch_id == attempt.c.batch_id,
        again.c.n > attempt.c.n,
        sa.or_(again.c.outcome.is_(None), again.c.outcome.in_(("accepted", "unknown"))),
    )
    columns = (batch.c.id, batch.c.number, batch.c.state, attempt.c.started, attempt.c.outcome)
    return (
        sa.select(*columns, later.label("later"), sa.func.max(event.c.at).label("latest"))
        .join(attempt, attempt.c.batch_id == batch.c.id)
        .join(send_recipient, send_recipient.c.batch_id == batch.c.id)
        .join(
            event,
            sa.and_(
                event.c.batch_id == batch.c.id,
                event.c.attempt_n == attempt.c.n,
                event.c.send_id == of.id,
                # Another newsletter on the same account may have the same numbers.
                event.c.address_key == send_recipient.c.address_key,
            ),
        )
        .where(
            batch.c.send_id == of.id,
            sa.or_(attempt.c.outcome.is_(None), attempt.c.outcome != "accepted"),
        )
        .group_by(*columns, attempt.c.batch_id, attempt.c.n)
        .order_by(batch.c.number, attempt.c.n)
    )


def _accept(connection: sa.Connection, batch_id: int) -> int:
    doubtful = ("unknown", "ready", "dropped")
    moved = connection.execute(
        sa.update(batch)
        .where(batch.c.id == batch_id, batch.c.state.in_(doubtful))
        .values(state="accepted", error=PROVEN, retry_at=None)
    )
    if moved.rowcount != 1:  # a sender has just claimed it, or another attempt has proven it
        return 0
    return connection.execute(
        sa.update(send_recipient)
        .where(
            send_recipient.c.batch_id == batch_id,
            send_recipient.c.state.in_(("unknown", "pending", "dropped")),
        )
        .values(state="accepted", error="")
    ).rowcount
