"""Record which tracking each send requested: opens, clicks, neither.

The settings may change while a send is stopped, and afterwards. So what a sender asks for is stored
before it sends anything, as rows of ``setting`` that are only added: two senders with different
settings leave both. A row is ``tracking opens on 2026-12-01-ice``.
"""

from collections.abc import Mapping
from itertools import product
from typing import Literal, get_args

import sqlalchemy as sa

from newsletter.config.tracking import (
    TRACKED_ACTIONS,
    TrackedAction,
    TrackingMode,
    TrackingOptions,
)
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import setting

TRACKING_KEY_PREFIX = "tracking "

# ``ask``: of readers who had agreed, as each batch's ``variant`` tells; ``unknown`` stands for a
# part that was sent by a version that recorded nothing.
RequestedTracking = Literal["on", "off", "ask", "unknown"]
_STATES: Mapping[TrackingMode, RequestedTracking] = {"all": "on", "off": "off", "ask": "ask"}


def insert_tracking(
    connection: sa.Connection, issue: str, tracking: TrackingOptions, *, is_partly_sent: bool
) -> None:
    """Record what a sender is about to ask SendGrid for.

    Args:
        connection: a connection in a write transaction.
        issue: the issue's name.
        tracking: the settings with which the sender builds its requests.
        is_partly_sent: whether a part of the issue was sent before.
    """
    requested: dict[TrackedAction, RequestedTracking] = {
        "opens": _STATES[tracking.opens],
        "clicks": _STATES[tracking.clicks],
    }
    keys = [_format_key(action, state, issue) for action, state in requested.items()]
    recorded = sa.exists().where(setting.c.key.in_(_iter_keys(issue)))
    if is_partly_sent and not connection.scalar(sa.select(recorded)):
        keys += [_format_key(action, "unknown", issue) for action in requested]
    rows = [{"key": key, "value": ""} for key in keys]
    connection.execute(insert_or_ignore(connection, setting), rows)


def load_tracking(
    connection: sa.Connection,
) -> Mapping[tuple[str, TrackedAction], frozenset[RequestedTracking]]:
    """Return for each issue and action what was asked for; more than one if that changed."""
    is_tracking = setting.c.key.startswith(TRACKING_KEY_PREFIX, autoescape=True)
    found: dict[tuple[str, TrackedAction], frozenset[RequestedTracking]] = {}
    actions = {str(action): action for action in TRACKED_ACTIONS}
    states = {state: state for state in get_args(RequestedTracking)}
    for key in connection.scalars(sa.select(setting.c.key).where(is_tracking)):
        _, action, state, issue = key.split(" ", 3)
        entry = (issue, actions[action])
        found[entry] = found.get(entry, frozenset()) | {states[state]}
    return found


def delete_tracking(connection: sa.Connection, issue: str) -> None:
    """Delete the record of a send that is discarded."""
    connection.execute(sa.delete(setting).where(setting.c.key.in_(_iter_keys(issue))))


def _iter_keys(issue: str) -> list[str]:
    pairs = product(TRACKED_ACTIONS, get_args(RequestedTracking))
    return [_format_key(action, state, issue) for action, state in pairs]


def _format_key(action: TrackedAction, state: RequestedTracking, issue: str) -> str:
    return f"{TRACKING_KEY_PREFIX}{action} {state} {issue}"
