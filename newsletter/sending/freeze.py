"""Fixes who gets an issue, and in which batches; after that nothing is selected again."""

import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import attempt, batch, send, send_recipient
from newsletter.errors import SendRefused
from newsletter.render.email import Email
from newsletter.sending.ledger import Ledger, Send, find, left
from newsletter.sending.payload import Letter, batches
from newsletter.sending.plan import keep
from newsletter.sending.preflight import nobody
from newsletter.subscribers import EVERYBODY, Reader, audience, exclusions
from newsletter.subscribers.segments import Segment


def freeze(
    ledger: Ledger, letter: Letter, expected: int | None = None, segment: Segment | None = None
) -> Send:
    """Write down who gets the issue, and in which batches, in one transaction.

    Args:
        ledger: where to.
        letter: its content's hash is frozen too.
        expected: how many readers the editor has agreed to.
        segment: to whom alone it goes.

    Raises:
        SendRefused: there is a send of this issue already, there is nobody to send it to, or
            there are more or fewer than expected. Nothing is written then.
    """
    within = segment.condition if segment else EVERYBODY
    text = segment.text if segment else ""
    try:
        with ledger.engine.begin() as connection:
            send_id = _insert_send(connection, ledger.clock(connection), letter.email, text)
            total = sum(
                _insert_batch(connection, send_id, number, readers)
                for number, readers in enumerate(
                    batches(letter, audience(connection, within=within)), 1
                )
            )
            _check_total(total, expected, segment)
            values = {"total": total, "excluded": dict(exclusions(connection, within))}
            connection.execute(sa.update(send).where(send.c.id == send_id).values(values))
            keep(connection, send_id, letter.email)
    except sa.exc.IntegrityError:
        raise SendRefused(
            f"another sender has begun to send {letter.email.issue}", remedy="Let it finish."
        ) from None
    frozen = find(ledger, letter.email.issue)
    assert frozen is not None
    return frozen


def discard(ledger: Ledger, of: Send) -> None:
    """Forget a send of which nothing has left, so that it can be made anew.

    Raises:
        SendRefused: something may have left.
    """
    mine = sa.select(batch.c.id).where(batch.c.send_id == of.id)
    with ledger.engine.begin() as connection:
        # Nobody can claim a batch of it from here on: claiming looks at this row's state.
        connection.execute(sa.update(send).where(send.c.id == of.id).values(state="cancelled"))
        if connection.scalar(sa.select(left(of.id, ledger.clock(connection)))):
            raise SendRefused(f"{of.issue} is being sent by another command")
        connection.execute(sa.delete(attempt).where(attempt.c.batch_id.in_(mine)))
        connection.execute(sa.delete(send_recipient).where(send_recipient.c.send_id == of.id))
        connection.execute(sa.update(batch).where(batch.c.send_id == of.id).values(parent_id=None))
        connection.execute(sa.delete(batch).where(batch.c.send_id == of.id))
        connection.execute(sa.delete(send).where(send.c.id == of.id))


def _check_total(total: int, expected: int | None, segment: Segment | None) -> None:
    if not total:
        raise SendRefused.of([nobody(segment)])
    if expected is not None and total != expected:
        raise SendRefused(
            f"the list has changed: {total:,} readers now, {expected:,} a moment ago",
            remedy="Nothing was sent. Run it again to see the new count.",
        )


def _insert_send(
    connection: sa.Connection, frozen_at: datetime.datetime, email: Email, segment: str
) -> int:
    values = {
        "issue": email.issue,
        "state": "frozen",
        "content_sha": email.content_sha,
        "subject": email.subject,
        "frozen_at": frozen_at,
        "total": 0,
        "excluded": {},
        "segment": segment,
    }
    made: int = connection.execute(sa.insert(send).values(values).returning(send.c.id)).scalar_one()
    return made


def _insert_batch(
    connection: sa.Connection, send_id: int, number: int, readers: Sequence[Reader]
) -> int:
    values: dict[str, Any] = {
        "send_id": send_id,
        "number": number,
        "size": len(readers),
        "state": "ready",
    }
    made = sa.insert(batch).values(values).returning(batch.c.id)
    batch_id = connection.execute(made).scalar_one()
    connection.execute(
        sa.insert(send_recipient),
        [
            {
                "send_id": send_id,
                "subscriber_id": reader.id,
                "address_key": reader.address_key,
                "batch_id": batch_id,
            }
            for reader in readers
        ],
    )
    return len(readers)
