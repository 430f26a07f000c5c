"""Ingest the provider's events: store, apply, reconcile.

Events change subscribers on the list, and prove that unknown batches in the ledger were accepted.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import attempt, batch, send
from newsletter.events.apply import apply_events
from newsletter.events.parse import Event
from newsletter.events.repeated_leaves import renew_repeated_leaves
from newsletter.events.store import RecordedEvent, record_events
from newsletter.events.tracking_consent import drop_events_without_consent
from newsletter.events.unreadable_item import UnreadableItem
from newsletter.events.unreadable_store import record_unreadable
from newsletter.sending.feedback.breaker import pause_harmful_sends
from newsletter.sending.ledger.recall_record import (
    pause_replacing_sends,
    withdraw_disproved_recalls,
)
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, load_sends, stop_send_in_transaction
from newsletter.sending.providers.registry import get_facts
from newsletter.subscribers.consent.delivery_feedback import AppliedReport

_log = logging.getLogger(__name__)
T = TypeVar("T")

_CHUNK_SIZE = 2_000
ACCOUNT_EVENT = "account_status_change"
# Changes of the account's status after which emails can be sent.
_ACTIVE_STATUSES = ("activate", "reactivate")
# Events that prove that the provider has delivered an email, or has tried to.
_DELIVERY_ATTEMPTS = frozenset(
    {"delivered", "deferred", "bounce", "open", "click", "spamreport", "unsubscribe",
     "group_unsubscribe"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """The result of ingesting events.

    Attributes:
        new_count: how many were not stored yet.
        known_count: how many were stored already, were duplicates, or were opens and clicks of
            readers who have not agreed to them.
        applied_reports: the changes of subscribers' statuses.
        paused_issues: issues whose sends were paused, since the provider has changed the account,
            too many emails bounced or were reported as spam, or it has delivered a recalled send
            that they replaced.
    """

    new_count: int
    known_count: int
    applied_reports: tuple[AppliedReport, ...]
    paused_issues: tuple[str, ...]


@dataclass(slots=True)
class IntakeTotals:
    """What all events of a file have changed, in numbers: they don't grow with the file.

    Attributes:
        new_count: as in ``IntakeResult``; likewise the others.
        known_count: how many were known.
        paused_issues: the issues whose sends were paused.
        listed_counts: status -> how many subscribers have it since.
        unlisted_count: how many addresses were suppressed that are not in the list.
        resolved: issue -> how many recipients became accepted.
        applied_reports: the changes of subscribers' statuses; ``None`` if they are not wanted.
    """

    new_count: int = 0
    known_count: int = 0
    paused_issues: list[str] = field(default_factory=list)
    listed_counts: Counter[str] = field(default_factory=Counter)
    unlisted_count: int = 0
    resolved: Counter[str] = field(default_factory=Counter)
    applied_reports: list[AppliedReport] | None = None

    def add(self, intake: IntakeResult, resolved: Mapping[str, int]) -> None:
        """Add what a part of the events has changed.

        Args:
            intake: from ``ingest_events``.
            resolved: from ``reconcile_from_events``.
        """
        self.new_count += intake.new_count
        self.known_count += intake.known_count
        self.paused_issues += intake.paused_issues
        reports = intake.applied_reports
        self.listed_counts.update(report.after for report in reports if report.listed)
        self.unlisted_count += sum(not report.listed for report in reports)
        self.resolved.update(resolved)
        if self.applied_reports is not None:
            self.applied_reports += reports


def chunk_events(events: Iterable[T]) -> Iterator[list[T]]:
    """Yield the events of a file in chunks, one for each transaction."""
    iterator = iter(events)
    while chunk := list(islice(iterator, _CHUNK_SIZE)):
        yield chunk


def ingest_events(
    ledger: Ledger,
    config: Config,
    events: Sequence[Event],
    unreadable: Sequence[UnreadableItem] = (),
) -> IntakeResult:
    """Store events and apply all that they change, in one transaction.

    Args:
        ledger: the ledger.
        config: has the limit of soft bounces and the newsletter's unsubscribe group.
        events: the events of one request, or a chunk of a file.
        unreadable: what is not an event beside them; it is kept as it is.
    """
    with ledger.engine.begin() as connection:
        asm_group = config.sendgrid.asm_group
        allowed = drop_events_without_consent(connection, events, config.tracking)
        new_events = record_events(
            connection, renew_repeated_leaves(connection, allowed, asm_group)
        )
        applied = apply_events(
            connection,
            new_events,
            soft_bounce_limit=config.limits.soft_bounces,
            asm_group=asm_group,
            now=ledger.clock(connection),
        )
        paused = _pause_running_sends(connection, new_events)
        send_ids = {item.send_id for item, _ in new_events if item.send_id is not None}
        paused += _withdraw_disproved_recalls(connection, new_events)
        paused += pause_harmful_sends(connection, send_ids, config.limits)
        if unreadable:
            record_unreadable(connection, unreadable, ledger.clock(connection))
    return IntakeResult(len(new_events), len(events) - len(new_events), tuple(applied), paused)


def reconcile_from_events(ledger: Ledger, events: Sequence[Event]) -> dict[str, int]:
    """Reconcile the sends that have unresolved batches to which these stored events refer.

    Returns:
        Issue -> how many recipients became accepted.
    """
    batch_ids = {event.batch_id for event in events if event.batch_id is not None}
    if not batch_ids:
        return {}
    unresolved = (
        sa.select(batch.c.send_id)
        .join(attempt, attempt.c.batch_id == batch.c.id)
        .where(
            batch.c.id.in_(batch_ids),
            batch.c.state.in_(("unknown", "ready", "dropped", "in_flight")),
            sa.or_(attempt.c.outcome.is_(None), attempt.c.outcome == "unknown"),
        )
    )
    with read_transaction(ledger.engine) as connection:
        sends = load_sends(connection, send.c.id.in_(unresolved))
    accepted = {}
    for send_record in sends:
        if count := reconcile_send(ledger, send_record).accepted_recipients:
            accepted[send_record.issue] = count
            _log.info("%s: %d readers accepted, proven by events", send_record.issue, count)
    return accepted


def _withdraw_disproved_recalls(
    connection: sa.Connection, recorded: Sequence[RecordedEvent]
) -> tuple[str, ...]:
    """Forget the recall of sends of which an email has left the provider all the same.

    Returns:
        The issues of the sends that have replaced them, and are paused.
    """
    delivered = {
        item.send_id
        for item, _ in recorded
        if item.type in _DELIVERY_ATTEMPTS and item.send_id is not None
    }
    names = withdraw_disproved_recalls(connection, delivered)
    provider = get_facts().name
    for name in names:
        _log.warning("%s was recalled, but %s has delivered it to some readers", name, provider)
    return tuple(pause_replacing_sends(connection, names))


def _pause_running_sends(
    connection: sa.Connection, recorded: Sequence[RecordedEvent]
) -> tuple[str, ...]:
    """Pause running sends that were frozen before the provider changed the account's status.

    Returns:
        Their issues.
    """
    paused = []
    for event, _ in recorded:
        kind = str(event.raw.get("type") or "")
        if event.type != ACCOUNT_EVENT or kind.rpartition("_")[2] in _ACTIVE_STATUSES:
            continue
        provider, kind = get_facts().name, kind[:100] or "no reason given"
        reason = f"{provider} has changed the account's status: {kind}"
        _log.warning("%s", reason)
        running = sa.select(send.c.id, send.c.issue).where(
            send.c.state == "running", send.c.frozen_at <= event.at
        )
        for send_id, issue in connection.execute(running).all():
            stop_send_in_transaction(connection, send_id, "paused", reason)
            paused.append(issue)
    return tuple(paused)
