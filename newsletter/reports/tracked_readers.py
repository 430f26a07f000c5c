"""Count the recipients of a send who had agreed to be tracked."""

import sqlalchemy as sa

from newsletter.config.tracking import TRACKED_ACTIONS, TrackedAction
from newsletter.db.schema import batch, event, send, send_recipient
from newsletter.reports.model import AgreedReaders
from newsletter.reports.queries import ENGAGEMENT_TYPES, accepted_condition
from newsletter.subscribers.tracking_groups import agreed_batch_condition
from newsletter.subscribers.tracking_record import load_tracking


def count_agreed_readers(
    connection: sa.Connection, send_id: int
) -> tuple[AgreedReaders | None, AgreedReaders | None]:
    """Return the recipients who were tracked for opens, and for clicks.

    ``None`` for an action that readers were not asked about: the send was tracked for all of them,
    or for nobody.

    Args:
        connection: in a read transaction with one snapshot.
        send_id: the send's id.
    """
    issue = connection.scalar(sa.select(send.c.issue).where(send.c.id == send_id)) or ""
    requested = load_tracking(connection)
    opens, clicks = (
        _count(connection, send_id, action) if "ask" in requested.get((issue, action), ()) else None
        for action in TRACKED_ACTIONS
    )
    return opens, clicks


def tracked_recipient_condition(action: TrackedAction) -> sa.ColumnElement[bool]:
    """Return the condition that a recipient's request was tracked for an action."""
    return sa.exists().where(
        batch.c.id == send_recipient.c.batch_id, agreed_batch_condition(action)
    )


def _count(connection: sa.Connection, send_id: int, action: TrackedAction) -> AgreedReaders:
    is_theirs = sa.and_(
        event.c.send_id == send_id, event.c.address_key == send_recipient.c.address_key
    )
    delivery = event.alias("delivery")
    # As in ``counts``: a bounce counts unless the email was delivered after it.
    delivered_later = sa.exists().where(
        delivery.c.send_id == send_id,
        delivery.c.address_key == event.c.address_key,
        delivery.c.type == "delivered",
        delivery.c.at > event.c.at,
    )
    was_delivered = sa.and_(
        sa.exists().where(is_theirs, event.c.type.in_(("delivered", *ENGAGEMENT_TYPES))),
        ~sa.exists().where(is_theirs, event.c.type == "bounce", ~delivered_later),
    )
    query = (
        sa.select(sa.func.count(), sa.func.count().filter(was_delivered))
        .select_from(send_recipient)
        .where(accepted_condition(send_id), tracked_recipient_condition(action))
    )
    return AgreedReaders(*connection.execute(query).one())
