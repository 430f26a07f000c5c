"""Group readers by what they have agreed may be recorded of them.

SendGrid records opens and clicks of a whole request or not at all. So with ``tracking: ask`` a send
puts readers who have agreed and the others into separate batches. A batch's ``variant`` names what
all of its readers had agreed to when it was planned, and once it was sent, what of that was
requested: ``opens clicks``, ``opens``, ``clicks`` or ``none``. What is recorded of every reader is
not named. It is empty where readers aren't asked.
"""

import datetime
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.config.tracking import TRACKED_ACTIONS, TrackedAction, TrackingOptions
from newsletter.db.schema import batch, send_recipient, subscriber
from newsletter.subscribers.audience import (
    ALL_SUBSCRIBERS,
    count_subscribers,
    still_mailable_condition,
)
from newsletter.subscribers.topics import topic_scope

# In the order in which the batches of a send are planned.
VARIANTS = ("", "opens clicks", "opens", "clicks", "none")


class TrackingGroup(NamedTuple):
    """The readers of whom the same may be recorded.

    Attributes:
        tracked: what is recorded of them.
        variant: the ``variant`` of their batches: what of that they have agreed to.
        condition: whether a subscriber is one of them.
    """

    tracked: frozenset[TrackedAction]
    variant: str
    condition: sa.ColumnElement[bool]


def list_tracking_groups(tracking: TrackingOptions) -> tuple[TrackingGroup, ...]:
    """Return the groups, each reader in one of them; a single one if nobody is asked."""
    asked = tracking.asked_actions
    if not asked:
        return (TrackingGroup(tracking.unconditional, "", ALL_SUBSCRIBERS),)
    groups = []
    for answers in product((True, False), repeat=len(asked)):
        agreed = frozenset(action for action, answer in zip(asked, answers, strict=True) if answer)
        condition = sa.and_(
            *(
                consent_condition(action) if answer else sa.not_(consent_condition(action))
                for action, answer in zip(asked, answers, strict=True)
            )
        )
        tracked = tracking.unconditional | agreed
        groups.append(TrackingGroup(tracked, format_variant(agreed), condition))
    return tuple(groups)


def find_planned_groups(
    connection: sa.Connection,
    tracking: TrackingOptions,
    send_id: int,
    at: datetime.datetime,
    *,
    topic: str = "",
) -> tuple[TrackingGroup, ...]:
    """Return the groups of the pending recipients of a plan, as its batches would be sent now.

    Whoever has agreed isn't tracked if their batch was planned before readers were asked, and
    somebody else in it has not agreed.

    Args:
        connection: in a transaction.
        tracking: the settings.
        send_id: the plan's id.
        at: the moment at which pauses are evaluated.
        topic: the plan's topic, if it has one.
    """
    if not tracking.asked_actions:
        return list_tracking_groups(tracking)
    frozen = (
        sa.select(
            send_recipient.c.subscriber_id, send_recipient.c.address_key, send_recipient.c.batch_id
        )
        .where(send_recipient.c.send_id == send_id, send_recipient.c.state == "pending")
        .subquery()
    )
    query = (
        sa.select(batch.c.id, batch.c.variant, *count_without_consent())
        .select_from(frozen)
        .join(subscriber, still_mailable_condition(frozen))
        .join(batch, batch.c.id == frozen.c.batch_id)
        .group_by(batch.c.id, batch.c.variant)
    )
    batch_ids: dict[frozenset[TrackedAction], list[int]] = {}
    values = {"moment": at, "topic_scope": topic_scope(topic)}
    for row in connection.execute(query, values).mappings():
        planned = parse_variant(row["variant"]).intersection(tracking.asked_actions)
        agreed = frozenset(action for action in planned if not row[action])
        batch_ids.setdefault(agreed, []).append(row["id"])
    return tuple(
        TrackingGroup(
            tracking.unconditional | agreed,
            format_variant(agreed),
            sa.exists()
            .where(
                send_recipient.c.subscriber_id == subscriber.c.id,
                send_recipient.c.send_id == send_id,
                send_recipient.c.batch_id.in_([sa.literal_column(str(id_)) for id_ in ids]),
            )
            .correlate(subscriber),
        )
        for agreed, ids in sorted(
            batch_ids.items(), key=lambda item: VARIANTS.index(format_variant(item[0]))
        )
    )


def count_without_consent() -> Sequence[sa.ColumnElement[int]]:
    """Return one column for each action: how many of a query's subscribers don't agree to it."""
    return [
        sa.func.count().filter(sa.not_(consent_condition(action))).label(action)
        for action in TRACKED_ACTIONS
    ]


def consent_condition(action: TrackedAction) -> sa.ColumnElement[bool]:
    """Return the condition that a subscriber has agreed; false, not null, if they weren't asked."""
    column = subscriber.c.opens_consent if action == "opens" else subscriber.c.clicks_consent
    return sa.func.coalesce(column, sa.false())


def count_tracking_groups(
    connection: sa.Connection,
    groups: Sequence[TrackingGroup],
    condition: sa.ColumnElement[bool],
    at: datetime.datetime,
) -> Mapping[str, int]:
    """Return the number of recipients of each variant; empty if nobody is asked.

    Args:
        connection: in a transaction.
        groups: the groups.
        condition: who would be sent to, if they may be mailed.
        at: the moment at which pauses are evaluated.
    """
    return {
        group.variant: count_subscribers(
            connection, sa.and_(condition, group.condition), mailable_only=True, at=at
        )
        for group in groups
        if group.variant
    }


def format_variant(agreed: Collection[TrackedAction]) -> str:
    """Return the variant of a batch whose readers have agreed to just this."""
    return " ".join(action for action in TRACKED_ACTIONS if action in agreed) or "none"


def parse_variant(variant: str) -> frozenset[TrackedAction]:
    """Return what a batch may be tracked for with ``ask``; without a variant, for anything."""
    words = variant.split() or TRACKED_ACTIONS
    return frozenset(action for action in TRACKED_ACTIONS if action in words)


def agreed_batch_condition(action: TrackedAction) -> sa.ColumnElement[bool]:
    """Return the condition that a batch which was sent was tracked as its readers had agreed.

    A batch without a variant was sent before readers were asked.
    """
    return batch.c.variant.in_(agreed_variants(action))


def agreed_variants(action: TrackedAction) -> Sequence[str]:
    """Return the variants of batches whose readers have agreed to an action."""
    return [variant for variant in VARIANTS if variant and action in parse_variant(variant)]
