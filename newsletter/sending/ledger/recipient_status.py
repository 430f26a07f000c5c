"""What became of each reader of a send, and why."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import batch, send_recipient, subscriber
from newsletter.sending.ledger.record import Send

PAGE = 5_000

# The states that say it all; the others have a reason of their own in the ledger.
WORDS: Mapping[str, str] = {
    "accepted": "SendGrid has taken it",
    "unknown": "may or may not have it",
    "pending": "still to go",
}
RECALLED = "SendGrid had taken it and was told to take it back"


class Fate(NamedTuple):
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


def fates(connection: sa.Connection, of: Send, *, missed: bool = False) -> Iterator[Fate]:
    """Everybody who was to get it, in the list's order; fetched page by page.

    Args:
        connection: in a transaction.
        of: the send.
        missed: leave out those whom SendGrid has accepted.
    """
    mine = send_recipient
    query = (
        sa.select(
            mine.c.subscriber_id,
            sa.func.coalesce(subscriber.c.address, mine.c.address_key),
            mine.c.state,
            batch.c.number,
            mine.c.error,
            batch.c.error,
        )
        .select_from(
            mine.join(batch, batch.c.id == mine.c.batch_id).outerjoin(
                subscriber, subscriber.c.id == mine.c.subscriber_id
            )
        )
        .where(mine.c.send_id == of.id, mine.c.subscriber_id > sa.bindparam("after"))
        .order_by(mine.c.subscriber_id)
        .limit(PAGE)
    )
    if missed and not of.recalled_at:
        query = query.where(mine.c.state != "accepted")
    after = 0
    while rows := connection.execute(query, {"after": after}).all():
        for _, address, state, number, own, shared in rows:
            yield Fate(address, state, number, reason(of, state, own, shared))
        after = rows[-1][0]


def reason(of: Send, state: str, own: str, shared: str) -> str:
    """Why a reader is in ``state``.

    Args:
        of: the send.
        state: the reader's.
        own: what the ledger says of this reader.
        shared: what it says of the reader's batch.
    """
    if state == "accepted":
        return RECALLED if of.recalled_at else WORDS[state]
    if state == "unknown" and shared:
        return f"{WORDS[state]}: {shared}"
    if state == "pending" and of.state in {"paused", "blocked", "cancelled"}:
        return f"{WORDS[state]}; the send is {of.state}: {of.reason}"
    return own or WORDS.get(state, shared)
