"""Status of each recipient of a send, with the reason."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import batch, send_recipient, subscriber
from newsletter.sending.ledger.record import Send

PAGE_SIZE = 5_000

# The states that say it all; the others have a reason of their own in the ledger.
STATE_REASONS: Mapping[str, str] = {
    "accepted": "SendGrid has taken it",
    "unknown": "may or may not have it",
    "pending": "still to go",
}
RECALLED_REASON = "accepted by SendGrid, then cancelled there"


class RecipientStatus(NamedTuple):
    """One reader.

    Attributes:
        address: as on the list; its key if the reader is no longer there.
        state: one of ``newsletter.db.schema.RECIPIENT_STATES``.
        batch: the number of the reader's latest batch.
        reason: in words.
    """

    address: str
    state: str
    batch: int
    reason: str


def iter_recipients(
    connection: sa.Connection, send_record: Send, *, only_missed: bool = False
) -> Iterator[RecipientStatus]:
    """Everybody who was to get it, in the list's order; fetched page by page.

    Args:
        connection: in a transaction.
        send_record: the send.
        only_missed: leave out those whom SendGrid has accepted.
    """
    recipient = send_recipient
    query = (
        sa.select(
            recipient.c.subscriber_id,
            sa.func.coalesce(subscriber.c.address, recipient.c.address_key),
            recipient.c.state,
            batch.c.number,
            recipient.c.error,
            batch.c.error,
        )
        .select_from(
            recipient.join(batch, batch.c.id == recipient.c.batch_id).outerjoin(
                subscriber, subscriber.c.id == recipient.c.subscriber_id
            )
        )
        .where(
            recipient.c.send_id == send_record.id, recipient.c.subscriber_id > sa.bindparam("after")
        )
        .order_by(recipient.c.subscriber_id)
        .limit(PAGE_SIZE)
    )
    if only_missed and not send_record.recalled_at:
        query = query.where(recipient.c.state != "accepted")
    after = 0
    while rows := connection.execute(query, {"after": after}).all():
        for _, address, state, number, own, shared in rows:
            yield RecipientStatus(
                address, state, number, describe_recipient_state(send_record, state, own, shared)
            )
        after = rows[-1][0]


def describe_recipient_state(
    send_record: Send, state: str, recipient_error: str, batch_error: str
) -> str:
    """Why a reader is in ``state``.

    Args:
        send_record: the send.
        state: the reader's.
        recipient_error: what the ledger says of this reader.
        batch_error: what it says of the reader's batch.
    """
    if state == "accepted":
        return RECALLED_REASON if send_record.recalled_at else STATE_REASONS[state]
    if state == "unknown" and batch_error:
        return f"{STATE_REASONS[state]}: {batch_error}"
    if state == "pending" and send_record.state in {"paused", "blocked", "cancelled"}:
        return f"{STATE_REASONS[state]}; the send is {send_record.state}: {send_record.reason}"
    return recipient_error or STATE_REASONS.get(state, batch_error)
