"""Reconcile unknown batches with events.

An event with the ids of an attempt proves that the attempt was accepted.
"""

import datetime
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import attempt, batch, event, send_recipient
from newsletter.sending.ledger.leases import expire_leases
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.ledger.resolve import update_send_state
from newsletter.sending.ledger.state_machine import AttemptEvidence, classify_evidence

# An event older than the attempt belongs to another email; clocks may differ by this much.
CLOCK_SKEW = datetime.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ReconcileResult:
    """The result of reconciling a send with the recorded events.

    Attributes:
        state: the state of the send afterwards.
        accepted_batches: numbers of the batches that turned out to be accepted.
        accepted_recipients: how many recipients became accepted by that.
        duplicated_batches: numbers of the batches that were accepted more than once.
        in_progress_batches: numbers of the batches that a sender is working on.
    """

    state: str
    accepted_batches: tuple[int, ...]
    accepted_recipients: int
    duplicated_batches: tuple[int, ...]
    in_progress_batches: tuple[int, ...]


def reconcile_send(ledger: Ledger, send_record: Send) -> ReconcileResult:
    """Mark as accepted the batches that recorded events prove to be accepted. Idempotent."""
    expire_leases(ledger, send_record)
    batches: dict[AttemptEvidence, list[int]] = {
        "accepted": [],
        "known": [],
        "twice": [],
        "wait": [],
    }
    accepted_recipients = 0
    with ledger.engine.begin() as connection:
        for row in connection.execute(_select_attempts_with_events(send_record)).all():
            if row.latest < row.started_at - CLOCK_SKEW:
                continue
            evidence = classify_evidence(row.state, row.outcome, has_later_attempt=row.later)
            if evidence == "accepted":
                accepted_recipients += _mark_accepted(connection, row.id, send_record.provider_name)
            batches[evidence].append(row.number)
        state = update_send_state(connection, ledger, send_record)
    return ReconcileResult(
        state,
        accepted_batches=tuple(batches["accepted"]),
        accepted_recipients=accepted_recipients,
        duplicated_batches=tuple(batches["twice"]),
        in_progress_batches=tuple(batches["wait"]),
    )


def _select_attempts_with_events(send_record: Send) -> sa.Select[Any]:
    """Select attempts that have events but aren't recorded as accepted, with their batches."""
    later_attempt = attempt.alias()
    later = sa.exists().where(
        later_attempt.c.batch_id == attempt.c.batch_id,
        later_attempt.c.number > attempt.c.number,
        sa.or_(
            later_attempt.c.outcome.is_(None), later_attempt.c.outcome.in_(("accepted", "unknown"))
        ),
    )
    named_attempt = attempt.alias()
    is_recorded = sa.exists().where(
        named_attempt.c.batch_id == event.c.batch_id,
        named_attempt.c.number == event.c.attempt_number,
    )
    # A held batch has one such attempt; the original of its database may have needed several.
    is_of_original = sa.and_(
        attempt.c.body_sha == "", event.c.attempt_number > attempt.c.number, ~is_recorded
    )
    columns = (batch.c.id, batch.c.number, batch.c.state, attempt.c.started_at, attempt.c.outcome)
    return (
        sa.select(*columns, later.label("later"), sa.func.max(event.c.at).label("latest"))
        .join(attempt, attempt.c.batch_id == batch.c.id)
        .join(send_recipient, send_recipient.c.batch_id == batch.c.id)
        .join(
            event,
            sa.and_(
                event.c.batch_id == batch.c.id,
                sa.or_(event.c.attempt_number == attempt.c.number, is_of_original),
                event.c.send_id == send_record.id,
                # Another newsletter on the same account may use the same ids.
                event.c.address_key == send_recipient.c.address_key,
            ),
        )
        .where(
            batch.c.send_id == send_record.id,
            sa.or_(attempt.c.outcome.is_(None), attempt.c.outcome != "accepted"),
        )
        .group_by(*columns, attempt.c.batch_id, attempt.c.number)
        .order_by(batch.c.number, attempt.c.number)
    )


def _mark_accepted(connection: sa.Connection, batch_id: int, provider_name: str) -> int:
    reason = f"accepted: proven by {provider_name}'s events"
    unproven = ("unknown", "ready", "dropped")
    updated = connection.execute(
        sa.update(batch)
        .where(batch.c.id == batch_id, batch.c.state.in_(unproven))
        .values(state="accepted", error=reason, retry_at=None)
    )
    if updated.rowcount != 1:  # a sender has just claimed it, or another attempt proved it accepted
        return 0
    return connection.execute(
        sa.update(send_recipient)
        .where(
            send_recipient.c.batch_id == batch_id,
            send_recipient.c.state.in_(("unknown", "pending", "dropped")),
        )
        .values(state="accepted", error="")
    ).rowcount
