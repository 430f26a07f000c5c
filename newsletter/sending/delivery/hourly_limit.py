"""Limit how many recipients are sent to per hour.

One count for the senders of all sends, kept in one row.
"""

import datetime
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import batch, rate_bucket
from newsletter.sending.ledger.record import Send

HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RateBucket:
    """How many recipients were sent to lately.

    Attributes:
        used: recipients since the last hour in which nothing was sent.
        latest: when the last of them were sent to.
    """

    used: int
    latest: datetime.datetime


def add_to_bucket(
    bucket: RateBucket, recipient_count: int, limit: int, now: datetime.datetime
) -> RateBucket | datetime.datetime:
    """Add recipients to the bucket, or return when to try again.

    The count restarts only when nothing has been sent for an hour. So no period of an hour,
    whenever it begins, sees more than ``limit``; a count per clock hour would allow twice as many.

    Args:
        bucket: the bucket until now.
        recipient_count: how many are to be added, at most ``limit``.
        limit: recipients per hour.
        now: aware.

    Returns:
        The bucket with them, or the time at which it is empty again.
    """
    if now - bucket.latest >= HOUR:
        return RateBucket(recipient_count, now)
    if bucket.used + recipient_count <= limit:
        # The clock of the machine that wrote ``latest`` may be ahead.
        return RateBucket(bucket.used + recipient_count, max(now, bucket.latest))
    return bucket.latest + HOUR


def consume_hourly_limit(
    connection: sa.Connection, send_record: Send, recipient_count: int, now: datetime.datetime
) -> datetime.datetime | None:
    """Count a batch against the limit, or delay the send's ready batches.

    Args:
        connection: in a transaction.
        send_record: a send with a limit per hour.
        recipient_count: the size of the batch.
        now: aware.

    Returns:
        ``None`` if the batch may be sent, or the time until which the batches are delayed.
    """
    connection.execute(insert_or_ignore(connection, rate_bucket).values(id=1, used=0, latest=now))
    # The update locks the row before it is read, so that senders count one after the other.
    lock = sa.update(rate_bucket).values(used=rate_bucket.c.used)
    row = connection.execute(lock.returning(rate_bucket.c.used, rate_bucket.c.latest)).one()
    result = add_to_bucket(RateBucket(*row), recipient_count, send_record.limit_per_hour, now)
    if isinstance(result, RateBucket):
        values = {"used": result.used, "latest": result.latest}
        connection.execute(sa.update(rate_bucket).values(values))
        return None
    # Batches that other senders are claiming now are skipped: those senders check the limit
    # themselves, and wait for the lock on the bucket.
    ready = (
        sa.select(batch.c.id)
        .where(batch.c.send_id == send_record.id, batch.c.state == "ready")
        .with_for_update(skip_locked=True)
    )
    connection.execute(sa.update(batch).where(batch.c.id.in_(ready)).values(available_at=result))
    return result
