"""Load the sends a query may name; refuse those with unknown engagement.

What is not known must not count as "did not open": the negation would select everybody.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from newsletter.config.tracking import TRACKED_ACTIONS
from newsletter.db.schema import MAYBE_SENT_BATCH_STATES, batch, event, send
from newsletter.errors import Problem
from newsletter.subscribers.segments.ast import Engagement
from newsletter.subscribers.sends_with_catch_ups import load_sends_with_catch_ups
from newsletter.subscribers.tracking_record import RequestedTracking, load_tracking

TrackingEvidence = Literal["on", "off", "ask", "part", "unknown"]

_MAX_ISSUES_SHOWN = 8
_LINE_WIDTH = 80

# Test -> what it counts; the name of the setting that it needs.
_SUBJECTS: dict[Engagement, tuple[str, str]] = {
    "delivered": ("deliveries of", ""),
    "opened": ("opens of", "opens"),
    "clicked": ("clicks in", "clicks"),
}
_REASONS = {
    "off": "Sent without tracking.{setting}",
    "part": "Sent with tracking.{setting} to a part of the readers only",
    "unknown": "Neither a record of tracking.{setting} nor any {setting}",
    "silent": "No events received from SendGrid",
}
_TRACKING_REMEDY = "For later sends, set tracking: {{{setting}: ask}} in newsletter.yml."
_EVENTS_REMEDY = (
    "Receive events with the webhook (docs/how-to/webhook.md), or import them with: newsletter "
    "events import FILE"
)


@dataclass(frozen=True, slots=True)
class KnownSend:
    """A send of which something was sent, or may have been.

    Attributes:
        id: in the ledger.
        issue: the issue's name.
        has_events: whether any event of it was received.
        opens: whether its opens were tracked; ``ask`` for those of the readers who had agreed.
        clicks: likewise, whether its clicks were tracked.
        parts: the send itself and its catch-ups, which count as it; empty without a catch-up.
    """

    id: int
    issue: str
    has_events: bool = True
    opens: TrackingEvidence = "on"
    clicks: TrackingEvidence = "on"
    parts: tuple["KnownSend", ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Its id and those of its catch-ups."""
        return tuple(part.id for part in self.parts or (self,))

    def find_asked_ids(self, kind: Engagement) -> tuple[int, ...]:
        """Return the ids of which a test's answer is known of those only who had agreed."""
        return tuple(
            part.id
            for part in self.parts or (self,)
            if {"opened": part.opens, "clicked": part.clicks}.get(kind) == "ask"
        )


def load_known_sends(connection: sa.Connection, besides: str = "") -> tuple[KnownSend, ...]:
    """Return the sends that have started and were not recalled, the newest first.

    Args:
        connection: a connection in a transaction.
        besides: an issue to leave out: the one whose audience is queried.
    """
    was_started = sa.exists().where(
        batch.c.send_id == send.c.id, batch.c.state.in_(MAYBE_SENT_BATCH_STATES)
    )
    has_event = sa.exists().where(event.c.send_id == send.c.id)
    query = sa.select(
        send.c.id,
        send.c.issue,
        has_event,
        has_event.where(event.c.type == "open"),
        has_event.where(event.c.type == "click"),
    )
    requested = load_tracking(connection)

    def judge_send(row: Sequence[Any]) -> KnownSend:
        id_, issue, has_events, *has_reports = row
        opens, clicks = (
            judge_tracking(
                requested.get((issue, action), frozenset()), was_reported=bool(has_report)
            )
            for action, has_report in zip(TRACKED_ACTIONS, has_reports, strict=False)
        )
        return KnownSend(id_, issue, bool(has_events), opens, clicks)

    return tuple(
        _join_parts([judge_send(row) for row in rows])
        for rows in load_sends_with_catch_ups(connection, query.where(was_started))
        if rows[0].issue != besides
    )


def _join_parts(parts: Sequence[KnownSend]) -> KnownSend:
    """Return a send together with its catch-ups: what is known of only a part isn't known of it."""
    return KnownSend(
        parts[0].id,
        parts[0].issue,
        any(part.has_events for part in parts),
        _join_evidence([part.opens for part in parts]),
        _join_evidence([part.clicks for part in parts]),
        tuple(parts) if len(parts) > 1 else (),
    )


def _join_evidence(evidence: Sequence[TrackingEvidence]) -> TrackingEvidence:
    found = set(evidence)
    if len(found) == 1:
        return evidence[0]
    return "ask" if found == {"on", "ask"} else "part"


def judge_tracking(
    requested: frozenset[RequestedTracking], *, was_reported: bool
) -> TrackingEvidence:
    """Return whether a send was tracked.

    Args:
        requested: what its senders asked SendGrid for; empty for a send of an earlier version.
        was_reported: whether an open (or a click) of it was reported, be it a bot's.
    """
    if not requested:
        return "on" if was_reported else "unknown"
    if len(requested) > 1:
        return "part"
    (state,) = requested
    return state


def engagement_problem(
    kind: Engagement, selected: Sequence[KnownSend], *, is_range: bool
) -> Problem | None:
    """Return why a test can't be evaluated for these sends, or ``None``.

    Args:
        kind: the test.
        selected: the sends that it is about.
        is_range: whether they were selected by ``last-N``.
    """
    if kind == "sent":
        return None
    if not selected:
        return Problem("no issue has been sent yet")
    subject, setting = _SUBJECTS[kind]
    issues: dict[str, list[str]] = {}
    for known_send in selected:
        if reason := _find_reason(setting, known_send):
            issues.setdefault(reason, []).append(known_send.issue)
    if not issues:
        return None
    name = selected[0].issue
    if is_range and len(selected) > 1:
        name = f"{sum(map(len, issues.values()))} of the last {len(selected)} issues"
    details = [
        f"{_REASONS[reason].format(setting=setting)}: {_join_issues(issues[reason])}."
        for reason in _REASONS
        if reason in issues
    ]
    if set(issues) - {"silent"}:
        details.append(_TRACKING_REMEDY.format(setting=setting))
    if "silent" in issues:
        details.append(_EVENTS_REMEDY)
    wrapped = (
        textwrap.fill(line, _LINE_WIDTH, break_long_words=False, break_on_hyphens=False)
        for line in details
    )
    return Problem(f"{subject} {name} are not known", remedy="\n".join(wrapped))


def _find_reason(setting: str, known_send: KnownSend) -> str:
    """Return a key of ``_REASONS``, or ``""`` if the send was tracked."""
    if setting:
        evidence = known_send.opens if setting == "opens" else known_send.clicks
        if evidence not in {"on", "ask"}:
            return evidence
    return "" if known_send.has_events else "silent"


def _join_issues(issues: Sequence[str]) -> str:
    more = len(issues) - _MAX_ISSUES_SHOWN
    shown = ", ".join(issues[:_MAX_ISSUES_SHOWN])
    return f"{shown} and {more:,} more" if more > 0 else shown
