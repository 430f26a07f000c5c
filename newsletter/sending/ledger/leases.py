"""Length and expiry of leases on claimed batches.

A claimed batch belongs to its sender until the lease expires; then any sender may take it back.
``newsletter.sending.delivery`` sets and renews leases.
"""

import datetime
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import OPEN_BATCH_STATES, attempt, batch, send_recipient
from newsletter.sending.ledger.provider_pause import select_paused_until
from newsletter.sending.ledger.record import Ledger, Send, get_ledger_time
from newsletter.sending.providers.registry import get_request_timeout

# The longest that the settings allow. A lease that ends later was taken before the clock was set
# back.
MAX_LEASE = datetime.timedelta(seconds=2 * (120 + 600) + 60)
# How long an idle sender waits before it looks again for batches that another sender holds.
POLL_INTERVAL = datetime.timedelta(seconds=1)


class HeldBatches(NamedTuple):
    """The batches of a send that other senders hold, or senders that were killed.

    Attributes:
        recipient_count: how many recipients they have.
        lease_until: when the last of their leases expires.
    """

    recipient_count: int
    lease_until: datetime.datetime


def find_held_batches(ledger: Ledger, send_record: Send) -> HeldBatches | None:
    """Return the batches of a send that are claimed or in flight, if there are any."""
    query = sa.select(sa.func.sum(batch.c.size), sa.func.max(batch.c.lease_until)).where(
        batch.c.send_id == send_record.id, batch.c.state.in_(("claimed", "in_flight"))
    )
    with read_transaction(ledger.engine) as connection:
        size, lease_until = connection.execute(query).one()
    return HeldBatches(int(size), lease_until) if lease_until else None


def has_live_lease(ledger: Ledger, send_record: Send) -> bool:
    """Return whether a sender that may be alive holds batches of a send."""
    held = find_held_batches(ledger, send_record)
    return held is not None and held.lease_until > get_ledger_time(ledger)


def get_next_claim_time(ledger: Ledger, send_record: Send) -> datetime.datetime | None:
    """Return when the next open batch can be claimed, or its lease expires.

    ``None`` if no batch is open.
    """
    is_ready = batch.c.state == "ready"
    due_at = sa.func.coalesce(batch.c.retry_at, batch.c.available_at)
    latest_due_at = sa.case((batch.c.available_at > due_at, batch.c.available_at), else_=due_at)
    query = sa.select(
        sa.func.count(),
        sa.func.count().filter(is_ready, due_at.is_(None)),
        sa.func.min(sa.case((is_ready, latest_due_at), else_=batch.c.lease_until)),
        sa.func.count().filter(~is_ready),
        select_paused_until(),
    ).where(batch.c.send_id == send_record.id, batch.c.state.in_(OPEN_BATCH_STATES))
    with read_transaction(ledger.engine) as connection:
        open_count, due_count, earliest, held_count, paused_until = connection.execute(query).one()
        if not open_count:
            return None
        now = ledger.clock(connection)
    earliest = now if due_count or earliest is None else earliest
    if held_count:
        # A live sender completes its batches long before their leases expire.
        earliest = min(earliest, now + POLL_INTERVAL)
    return max(earliest, paused_until or earliest)


def lease_length(config: Config) -> datetime.timedelta:
    """Return how long a claim is valid without renewal: longer than any request can take."""
    return datetime.timedelta(seconds=2 * get_request_timeout(config) + 60)


def expire_leases(ledger: Ledger, send_record: Send) -> int:
    """Release the batches of dead senders; return how many recipients became unknown.

    A claimed batch whose lease has expired becomes ready again. One that was in flight may have
    been sent, so it becomes unknown, never ready. A lease that ends later than any can is shortened
    to the longest.
    """
    with ledger.engine.begin() as connection:
        time = ledger.clock(connection)
        latest = time + max(MAX_LEASE, ledger.lease)
        connection.execute(
            sa.update(batch)
            .where(batch.c.send_id == send_record.id, batch.c.lease_until > latest)
            .values(lease_until=latest)
        )
        expired = sa.and_(batch.c.send_id == send_record.id, batch.c.lease_until <= time)
        connection.execute(
            sa.update(batch)
            .where(expired, batch.c.state == "claimed")
            .values(state="ready", lease_until=None)
        )
        lost = connection.scalars(
            sa.update(batch)
            .where(expired, batch.c.state == "in_flight")
            .values(state="unknown", lease_until=None, error="the sender stopped unexpectedly")
            .returning(batch.c.id)
        ).all()
        if not lost:
            return 0
        connection.execute(
            sa.update(attempt)
            .where(attempt.c.batch_id.in_(lost), attempt.c.ended_at.is_(None))
            .values(ended_at=time, outcome="unknown")
        )
        return connection.execute(
            sa.update(send_recipient)
            .where(send_recipient.c.batch_id.in_(lost), send_recipient.c.state == "pending")
            .values(state="unknown")
        ).rowcount
