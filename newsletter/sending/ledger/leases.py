"""Length and expiry of leases on claimed batches.

A claimed batch belongs to its sender until the lease expires; then any sender may take it back.
``newsletter.sending.delivery.claim`` sets and renews leases.
"""

import datetime

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db.schema import attempt, batch, send_recipient
from newsletter.sending.ledger.record import Ledger, Send


def lease_length(config: Config) -> datetime.timedelta:
    """Return how long a claim is valid without renewal: longer than any request can take."""
    longest = config.sendgrid.connect_timeout + config.sendgrid.read_timeout
    return datetime.timedelta(seconds=2 * longest + 60)


def expire_leases(ledger: Ledger, send_record: Send) -> int:
    """Release the batches of dead senders; return how many recipients became unknown.

    A claimed batch whose lease has expired becomes ready again. One that was in flight may have
    been sent, so it becomes unknown, never ready.
    """
    with ledger.engine.begin() as connection:
        time = ledger.clock(connection)
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
