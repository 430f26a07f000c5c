"""Select whom a send goes to: a new plan, or what is left of one."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import OPEN_BATCH_STATES, batch, send_recipient, subscriber
from newsletter.sending.ledger.record import Ledger, Send, count_recipients_by_state
from newsletter.subscribers import ALL_SUBSCRIBERS, count_exclusions, count_subscribers
from newsletter.subscribers.audience import still_mailable_condition
from newsletter.subscribers.segments import Segment, find_segment
from newsletter.subscribers.topics import limit_to_topic, topic_scope
from newsletter.subscribers.tracking_groups import (
    TrackingGroup,
    count_tracking_groups,
    find_planned_groups,
    list_tracking_groups,
)


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a send would go to.

    Attributes:
        condition: of the subscribers: the segment or, of a plan that is resumed, its pending
            recipients; without those who don't want the topic.
        count: how many of them would be sent to now.
        excluded: reason -> how many subscribers are excluded for it.
        segment: the segment that a new plan is for, if not the whole list.
        topic: the issue's topic, if it has one; who has opted out of it is not in ``condition``.
        unsubscribed_count: how many planned recipients have unsubscribed since, or opted out of the
            topic.
        tracking_groups: the recipients by what is recorded of them.
        group_counts: variant -> how many of them, where readers are asked whether opens or clicks
            may be recorded; otherwise empty.
        batch_sizes: of a plan that is resumed, the sizes of its batches that are still to be sent
            to somebody.
    """

    condition: sa.ColumnElement[bool]
    count: int
    excluded: Mapping[str, int]
    segment: Segment | None = None
    topic: str = ""
    unsubscribed_count: int = 0
    tracking_groups: Sequence[TrackingGroup] = ()
    group_counts: Mapping[str, int] = field(default_factory=dict)
    batch_sizes: Sequence[int] = ()


def select_audience(
    ledger: Ledger, config: Config, name_or_query: str, topic: str = ""
) -> Audience:
    """Return the audience of a new plan.

    Args:
        ledger: the ledger.
        config: the newsletter's settings.
        name_or_query: of the segment; empty for the whole list.
        topic: the issue's topic, if it has one.

    Raises:
        SubscriberListError: the segment is not valid.
    """
    segment, condition = None, ALL_SUBSCRIBERS
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        if name_or_query:
            segment = find_segment(connection, name_or_query, config, now)
            condition = segment.condition
        groups = list_tracking_groups(config.tracking)
        wanting = limit_to_topic(condition, topic)
        return Audience(
            wanting,
            count_subscribers(connection, wanting, mailable_only=True, at=now),
            count_exclusions(connection, condition, topic=topic, at=now),
            segment,
            topic,
            tracking_groups=groups,
            group_counts=count_tracking_groups(connection, groups, wanting, now),
        )


def load_pending_audience(ledger: Ledger, config: Config, resumed: Send) -> Audience:
    """Return the pending recipients of a plan.

    Its query is not evaluated again: by now it may count this very send.
    """
    condition = limit_to_topic(recipient_state_condition(resumed, "pending"), resumed.topic)
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        count = count_subscribers(connection, condition, mailable_only=True, at=now)
        groups = find_planned_groups(
            connection, config.tracking, resumed.id, now, topic=resumed.topic
        )
        group_counts = count_tracking_groups(connection, groups, condition, now)
        batch_sizes = _load_open_batch_sizes(connection, resumed, now)
    pending = count_recipients_by_state(ledger, resumed).get("pending", 0)
    return Audience(
        condition,
        count,
        resumed.excluded,
        topic=resumed.topic,
        unsubscribed_count=max(pending - count, 0),
        tracking_groups=groups,
        group_counts=group_counts,
        batch_sizes=batch_sizes,
    )


def _load_open_batch_sizes(
    connection: sa.Connection, resumed: Send, now: datetime.datetime
) -> Sequence[int]:
    """Return the sizes of a plan's open batches, without those whose recipients have all left."""
    values = {"moment": now, "topic_scope": topic_scope(resumed.topic)}
    return connection.scalars(select_open_batch_sizes(resumed.id), values).all()


def select_open_batch_sizes(send_id: int) -> sa.Select[int]:
    """Return the query for the sizes of a send's open batches that have somebody to be sent to.

    Its parameters are those of ``still_mailable_condition``.

    Args:
        send_id: the id of the send.
    """
    has_recipient = (
        sa.select(sa.literal(1))
        .where(
            send_recipient.c.batch_id == batch.c.id,
            send_recipient.c.state == "pending",
            still_mailable_condition(send_recipient),
        )
        .correlate(batch)
        # One row a batch is enough. Without this, PostgreSQL joins all recipients with all
        # subscribers, expects one row of that, and compares each batch with each of the millions.
        .offset(0)
    )
    return sa.select(batch.c.size).where(
        batch.c.send_id == send_id, batch.c.state.in_(OPEN_BATCH_STATES), has_recipient.exists()
    )


def recipient_state_condition(send_record: Send, *states: str) -> sa.ColumnElement[bool]:
    """Return the condition that a subscriber is a recipient of a send.

    Args:
        send_record: the send.
        states: of a recipient; without any, all.
    """
    is_recipient = sa.and_(
        send_recipient.c.send_id == send_record.id,
        send_recipient.c.subscriber_id == subscriber.c.id,
        send_recipient.c.state.in_(states) if states else sa.true(),
    )
    return sa.exists().where(is_recipient).correlate(subscriber)
