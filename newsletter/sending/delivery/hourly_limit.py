"""Limit how many recipients an hour.

One count for all workers of all sends, kept in one row.
"""

import datetime
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import batch, rate_bucket
from newsletter.sending.ledger.record import Send

# No more than that in any hour.
HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RateBucket:
    """What has gone lately.

    Attributes:
        used: readers, since the last hour in which nothing went.
        latest: when the last of them went.
    """

    used: int
    latest: datetime.datetime


def add_to_bucket(
    bucket: RateBucket, recipient_count: int, limit: int, now: datetime.datetime
) -> RateBucket | datetime.datetime:
    """Let ``readers`` go now, or say when to ask again.

    The count begins anew only when nothing has gone for an hour. So no hour, wherever it
    begins, sees more than ``limit``, which a count by the clock's hours would allow.

    Args:
        bucket: as it stands.
        recipient_count: how many would go, at most ``limit``.
        limit: readers an hour.
        now: aware.

    Returns:
        The bucket with them in it, or the time from which on it is empty.
    """
    if now - bucket.latest >= HOUR:
        return RateBucket(recipient_count, now)
    if bucket.used + recipient_count <= limit:
        # Another machine's clock may be ahead.
        return RateBucket(bucket.used + recipient_count, max(now, bucket.latest))
    return bucket.latest + HOUR


def consume_hourly_limit(
    connection: sa.Connection, send_record: Send, recipient_count: int, now: datetime.datetime
) -> datetime.datetime | None:
    """Count a batch of ``readers`` in; or make the send's batches wait until the time returned."""
    connection.execute(insert_or_ignore(connection, rate_bucket).values(id=1, used=0, latest=now))
    # Writing locks the row before it is read, so that workers count one after the other.
    same = sa.update(rate_bucket).values(used=rate_bucket.c.used)
    row = connection.execute(same.returning(rate_bucket.c.used, rate_bucket.c.latest)).one()
    answer = add_to_bucket(RateBucket(*row), recipient_count, send_record.limit_per_hour, now)
    if isinstance(answer, RateBucket):
        values = {"used": answer.used, "latest": answer.latest}
        connection.execute(sa.update(rate_bucket).values(values))
        return None
    # Not those that others are claiming now: they will ask for themselves, and wait for our row.
    ready = (
        sa.select(batch.c.id)
        .where(batch.c.send_id == send_record.id, batch.c.state == "ready")
        .with_for_update(skip_locked=True)
    )
    connection.execute(sa.update(batch).where(batch.c.id.in_(ready)).values(available_at=answer))
    return answer
