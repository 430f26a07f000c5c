"""Settles what is unknown, by the editor's word; every write finds what the editor was shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.db import reading
from newsletter.db.schema import batch, send, send_recipient, subscriber
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.record import OPEN, Ledger, Send
from newsletter.sending.ledger.state_machine import SETTLED, Settlement, after_settling

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Unsure:
    """An unknown batch.

    Attributes:
        id: in the ledger.
        number: as the editor names it.
        reason: what happened.
        readers: how many may or may not have the mail.
        some: the first addresses, to look up at the vendor.
    """

    id: int
    number: int
    reason: str
    readers: int
    some: tuple[str, ...]


def unsure(ledger: Ledger, of: Send, numbers: Sequence[int] = ()) -> list[Unsure]:
    """The unknown batches with these numbers, or all of them.

    Raises:
        SendRefused: one of them is not unknown, or none is.
    """
    mine = sa.and_(batch.c.send_id == of.id, batch.c.state == "unknown")
    with reading(ledger.engine) as connection:
        rows = connection.execute(
            sa.select(batch.c.id, batch.c.number, batch.c.error)
            .where(mine, *([batch.c.number.in_(numbers)] if numbers else []))
            .order_by(batch.c.number)
        ).all()
        found = [Unsure(row.id, row.number, row.error, *_who(connection, row.id)) for row in rows]
    missing = sorted(set(numbers) - {one.number for one in found})
    if missing or not found:
        what = f"batch {', '.join(map(str, missing))} of" if missing else "no batch of"
        verb = "is not unknown" if missing else "is unknown"
        raise SendRefusedError(
            f"{what} {of.issue} {verb}; only what is unknown can be settled",
            remedy=f"See: newsletter status {of.slug}",
        )
    return found


def resolve(ledger: Ledger, of: Send, shown: Sequence[Unsure], how: Settlement) -> str:
    """Settle unknown batches; returns the state that the send is in then.

    Raises:
        SendRefused: one of them is no longer unknown, or a cancelled send would go on. Nothing
            is written then.
    """
    settled = SETTLED[how]
    if how == "resend" and of.state == "cancelled":
        raise SendRefusedError(
            f"{of.issue} was cancelled: nothing of it is sent any more",
            remedy="Settle it with --accepted or --drop.",
        )
    with ledger.engine.begin() as connection:
        for one in shown:
            moved = connection.execute(
                sa.update(batch)
                .where(batch.c.id == one.id, batch.c.state == "unknown")
                .values(state=settled.batch, error=settled.words, attempts=0, retry_at=None)
            )
            if moved.rowcount != 1:
                raise SendRefusedError(
                    f"batch {one.number} was settled by another command meanwhile",
                    remedy=f"See: newsletter status {of.slug}",
                )
            connection.execute(
                sa.update(send_recipient)
                .where(send_recipient.c.batch_id == one.id, send_recipient.c.state == "unknown")
                .values(state=settled.readers, error=settled.words if how == "drop" else "")
            )
        return close(connection, ledger, of)


def close(connection: sa.Connection, ledger: Ledger, of: Send) -> str:
    """Give the send the state that its batches call for by now; returns it."""
    mine = batch.c.send_id == of.id
    still_open = sa.exists().where(mine, batch.c.state.in_(OPEN))
    unknown = sa.exists().where(mine, batch.c.state == "unknown")
    state, some_open, some_unknown = connection.execute(
        sa.select(send.c.state, still_open, unknown).where(send.c.id == of.id)
    ).one()
    after = after_settling(state, still_open=some_open, unknown=some_unknown)
    if after != state:
        finished_at = None if after == "paused" else ledger.clock(connection)
        connection.execute(
            sa.update(send)
            .where(send.c.id == of.id, send.c.state == state)
            .values(state=after, finished_at=finished_at)
        )
    return after


def _who(connection: sa.Connection, batch_id: int) -> tuple[int, tuple[str, ...]]:
    mine = sa.and_(send_recipient.c.batch_id == batch_id, send_recipient.c.state == "unknown")
    count = connection.scalar(sa.select(sa.func.count()).select_from(send_recipient).where(mine))
    some = connection.scalars(
        sa.select(sa.func.coalesce(subscriber.c.address, send_recipient.c.address_key))
        .select_from(
            send_recipient.outerjoin(subscriber, subscriber.c.id == send_recipient.c.subscriber_id)
        )
        .where(mine)
        .order_by(send_recipient.c.subscriber_id)
        .limit(SHOWN)
    )
    return count or 0, tuple(some)
