"""Delete sign-ups that were never confirmed.

Anybody can enter any address, so these people may never have asked for anything. There is no
consent of theirs to prove, and so nothing to keep: the journal is deleted with them.
"""

import datetime
import time
from collections.abc import Sequence

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import column_in
from newsletter.db.schema import event, journal, subscriber, subscriber_tag, transactional_email
from newsletter.subscribers.refused_signups import add_refused_signups

# Few enough that other writers wait for some hundredths of a second only.
BATCH_SIZE = 200
# After each batch, as a multiple of the time that it took.
PAUSE_FACTOR = 2
_SIGNUP_METHODS = ("form", "api")
_EDITOR_METHODS = ("import", "cli")


def purge_unconfirmed(
    engine: sa.Engine,
    now: datetime.datetime,
    *,
    max_age: datetime.timedelta,
    link_lifetime: datetime.timedelta,
) -> int:
    """Delete those who signed up by a form, never confirmed, and were never on the list.

    Readers whom the editor has added or imported are kept, whatever their status; so are those who
    have tags or attributes, since only the editor can give them to somebody who hasn't confirmed,
    and who still has a confirmation link that works. In batches, between which others can write.

    Args:
        engine: the engine of the database.
        now: the current time, timezone-aware.
        max_age: the age from which they are deleted.
        link_lifetime: how long a confirmation link works.

    Returns:
        How many were deleted; they are added to the counts of refused sign-ups.
    """
    is_unconfirmed = _unconfirmed_condition(now - max_age, now - link_lifetime)
    deleted, last_id = 0, 0
    while ids := _find_ids(engine, is_unconfirmed, last_id):
        last_id, started = ids[-1], time.monotonic()
        with engine.begin() as connection:
            deleted += _delete(connection, is_unconfirmed, ids, f"{now:%Y-%m}")
        # SQLite's writers poll for the lock, so it must be free for longer than it was held.
        time.sleep(PAUSE_FACTOR * (time.monotonic() - started))
    return deleted


def _find_ids(
    engine: sa.Engine, is_unconfirmed: sa.ColumnElement[bool], last_id: int
) -> Sequence[int]:
    query = sa.select(subscriber.c.id).where(is_unconfirmed, subscriber.c.id > last_id)
    with read_transaction(engine) as connection:
        return connection.scalars(query.order_by(subscriber.c.id).limit(BATCH_SIZE)).all()


def _delete(
    connection: sa.Connection,
    is_unconfirmed: sa.ColumnElement[bool],
    ids: Sequence[int],
    month: str,
) -> int:
    """Delete those of the ids who have still not confirmed; return how many."""
    delete = sa.delete(subscriber).where(column_in(connection, subscriber.c.id, ids))
    keys = connection.scalars(
        delete.where(is_unconfirmed).returning(subscriber.c.address_key)
    ).all()
    if keys:
        # What SendGrid has reported about the confirmation emails; they have got no issue.
        reported = sa.delete(event).where(column_in(connection, event.c.address_key, keys))
        connection.execute(reported.where(event.c.send_id.is_(None)))
        add_refused_signups(connection, {(month, "never_confirmed"): len(keys)})
    return len(keys)


def _unconfirmed_condition(
    joined_before: datetime.datetime, links_since: datetime.datetime
) -> sa.ColumnElement[bool]:
    is_theirs = journal.c.subscriber_id == subscriber.c.id
    signed_up = sa.and_(journal.c.seq == 1, journal.c.method.in_(_SIGNUP_METHODS))
    was_listed = sa.or_(journal.c.status != "pending", journal.c.method.in_(_EDITOR_METHODS))
    has_details = sa.or_(
        sa.cast(subscriber.c.attributes, sa.String) != "{}",
        sa.exists().where(subscriber_tag.c.subscriber_id == subscriber.c.id),
    )
    has_link = sa.and_(
        transactional_email.c.address_key == subscriber.c.address_key,
        transactional_email.c.kind == "confirm",
        sa.or_(
            transactional_email.c.created_at > links_since,
            transactional_email.c.started_at > links_since,
        ),
    )
    return sa.and_(
        subscriber.c.status == "pending",
        subscriber.c.joined_at < joined_before,
        sa.exists().where(is_theirs, signed_up),
        ~sa.exists().where(is_theirs, was_listed),
        ~has_details,
        ~sa.exists().where(has_link),
    )
