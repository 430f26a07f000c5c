"""Record whether subscribers agree that opens and clicks are recorded.

The journal has an entry for each answer, and the subscriber's columns have the last one; nothing
but this module and the import writes them. That somebody was not asked is the absence of both.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from newsletter.config.tracking import TRACKED_ACTIONS, TrackedAction
from newsletter.db.schema import subscriber
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.journal import ChangeOrigin

# Action -> whether the subscriber agrees; an action that they were not asked about is missing.
TrackingAnswers = Mapping[TrackedAction, bool]

_ANSWER_KINDS: Mapping[str, tuple[TrackedAction, bool]] = {
    "opens_allowed": ("opens", True),
    "opens_refused": ("opens", False),
    "clicks_allowed": ("clicks", True),
    "clicks_refused": ("clicks", False),
}
_LOCK_QUERY = (
    sa.select(subscriber.c.status, subscriber.c.opens_consent, subscriber.c.clicks_consent)
    .where(subscriber.c.id == sa.bindparam("id"))
    .with_for_update()
)


def record_tracking_answers(
    connection: sa.Connection, subscriber_id: int, answers: TrackingAnswers, origin: ChangeOrigin
) -> bool:
    """Record a subscriber's answers; one that they have given already is not recorded again.

    Args:
        connection: a connection in a writing transaction.
        subscriber_id: the subscriber's id.
        answers: what they have answered.
        origin: when and how, with the wording that they saw.

    Returns:
        Whether anything has changed.
    """
    row = connection.execute(_LOCK_QUERY, {"id": subscriber_id}).one_or_none()
    if row is None:
        return False
    present = {"opens": row.opens_consent, "clicks": row.clicks_consent}
    changed = {action: answer for action, answer in answers.items() if present[action] != answer}
    if not changed:
        return False
    values: dict[str, Any] = {consent_column(action): changed[action] for action in changed}
    connection.execute(
        sa.update(subscriber)
        .where(subscriber.c.id == subscriber_id)
        .values(updated_at=origin.at, **values)
    )
    for action in TRACKED_ACTIONS:
        if action in changed:
            kind = answer_kind(action, is_allowed=changed[action])
            journal.append_entry(connection, subscriber_id, origin.to_entry(kind, row.status))
    return True


def load_tracking_answers(connection: sa.Connection, subscriber_id: int) -> TrackingAnswers:
    """Return the last answers of a subscriber."""
    columns = (subscriber.c.opens_consent, subscriber.c.clicks_consent)
    row = connection.execute(sa.select(*columns).where(subscriber.c.id == subscriber_id)).one()
    answers = zip(TRACKED_ACTIONS, row, strict=True)
    return {action: answer for action, answer in answers if answer is not None}


def replay_answers(kinds: Iterable[str]) -> TrackingAnswers:
    """Return the answers after all changes of one subscriber, in their order."""
    return dict(_ANSWER_KINDS[kind] for kind in kinds if kind in _ANSWER_KINDS)


def answer_kind(action: TrackedAction, *, is_allowed: bool) -> str:
    """Return the kind of the journal's entry for an answer."""
    return f"{action}_allowed" if is_allowed else f"{action}_refused"


def consent_column(action: TrackedAction) -> str:
    """Return the name of the subscriber's column with the last answer."""
    return f"{action}_consent"
