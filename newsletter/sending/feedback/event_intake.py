"""Take in the provider's events: store, apply, reconcile.

On record, into the list, and into the ledger.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import attempt, batch, send
from newsletter.events.apply import apply_events
from newsletter.events.parse import Event
from newsletter.events.store import RecordedEvent, record_events
from newsletter.sending.ledger.reconcile import reconcile_send
from newsletter.sending.ledger.record import Ledger, get_send, stop_send_in_transaction
from newsletter.subscribers.consent.delivery_feedback import AppliedReport

_log = logging.getLogger(__name__)

_CHUNK_SIZE = 2_000
ACCOUNT_EVENT = "account_status_change"
# Of a change of the account's status: that nothing stands in the way of mail any more.
_ACTIVE_STATUSES = ("activate", "reactivate")


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """What some events came to.

    Attributes:
        new_count: how many were not on record.
        known_count: how many were, or came twice.
        applied_reports: the changes of somebody's status.
        paused_issues: issues whose sends were paused, since SendGrid has changed the account.
    """

    new_count: int
    known_count: int
    applied_reports: tuple[AppliedReport, ...]
    paused_issues: tuple[str, ...]


def chunk_events(events: Iterable[Event]) -> Iterator[list[Event]]:
    """The events of a file, as many at once as go well into one transaction."""
    rest = iter(events)
    while page := list(islice(rest, _CHUNK_SIZE)):
        yield page


def ingest_events(ledger: Ledger, config: Config, events: Sequence[Event]) -> IntakeResult:
    """Write events down with all that they change, in one transaction.

    Args:
        ledger: the record.
        config: says how many soft bounces are a bounce, and which unsubscribe group is ours.
        events: of one request, or a part of a file.
    """
    with ledger.engine.begin() as connection:
        new = record_events(connection, events)
        taken = apply_events(
            connection,
            new,
            soft_bounce_limit=config.limits.soft_bounces,
            asm_group=config.sendgrid.asm_group,
            now=ledger.clock(connection),
        )
        paused = _pause_running_sends(connection, new)
    return IntakeResult(len(new), len(events) - len(new), tuple(taken), paused)


def reconcile_from_events(ledger: Ledger, events: Sequence[Event]) -> dict[str, int]:
    """Settle the unknown batches that events on record name.

    Returns:
        Issue -> how many readers became accepted.
    """
    named = {event.batch_id for event in events if event.batch_id is not None}
    if not named:
        return {}
    doubtful = (
        sa.select(send.c.issue)
        .join(batch, batch.c.send_id == send.c.id)
        .join(attempt, attempt.c.batch_id == batch.c.id)
        .where(
            batch.c.id.in_(named),
            batch.c.state.in_(("unknown", "ready", "dropped", "in_flight")),
            sa.or_(attempt.c.outcome.is_(None), attempt.c.outcome == "unknown"),
        )
        .distinct()
    )
    with read_transaction(ledger.engine) as connection:
        issues = connection.scalars(doubtful).all()
    settled = {}
    for issue in issues:
        send_record = get_send(ledger, issue)
        done = reconcile_send(ledger, send_record) if send_record else None
        if done and done.accepted_recipients:
            settled[issue] = done.accepted_recipients
            _log.info(
                "%s: %d readers accepted, as SendGrid's events say", issue, done.accepted_recipients
            )
    return settled


def _pause_running_sends(
    connection: sa.Connection, recorded: Sequence[RecordedEvent]
) -> tuple[str, ...]:
    """Pause what is running, if SendGrid has changed the account's status since it was frozen."""
    paused = []
    for event, _ in recorded:
        kind = str(event.raw.get("type") or "")
        if event.type != ACCOUNT_EVENT or kind.rpartition("_")[2] in _ACTIVE_STATUSES:
            continue
        reason = f"SendGrid has changed the account's status: {kind[:100] or 'it does not say how'}"
        _log.warning("%s", reason)
        running = sa.select(send.c.id, send.c.issue).where(
            send.c.state == "running", send.c.frozen_at <= event.at
        )
        for id_, issue in connection.execute(running).all():
            stop_send_in_transaction(connection, id_, "paused", reason)
            paused.append(issue)
    return tuple(paused)
