"""Status of a send, read in one transaction."""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import column_in
from newsletter.db.schema import (
    HAS_REASON,
    OPEN_BATCH_STATES,
    batch,
    provider_pause,
    send,
    send_recipient,
)
from newsletter.sending.ledger.record import Ledger, Send, count_states, load_sends, replaced_error
from newsletter.sending.ledger.send_phase import SendPhase, get_send_phase, is_held
from newsletter.sending.providers.registry import get_facts

LEFT_OUT_STATES = ("skipped_late", "rejected", "dropped")
# With so many recipients, to read them all takes longer than an editor likes to wait.
LARGE_SEND_RECIPIENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class UnknownBatchSummary:
    """An unknown batch: its number, how many recipients it has, and what happened."""

    number: int
    recipient_count: int
    reason: str


@dataclass(frozen=True, slots=True)
class CatchUpSummary:
    """A catch-up of a send: it, its phase, and how many of its recipients were accepted."""

    send: Send
    phase: SendPhase
    accepted_count: int


@dataclass(frozen=True, slots=True)
class SendStatus:
    """The status of a send at one moment.

    Attributes:
        send: the send.
        recipients_by_state: state -> how many recipients; they add up to the send's total.
        batches_by_state: state -> how many batches.
        unknown_batches: the unknown batches.
        in_flight_recipients: how many recipients' requests are in flight.
        lease_until: when the last lease on a batch in flight expires.
        next_claim_time: no batch is claimed before then, because of the provider's pause, the
            hourly limit, or a backoff.
        now: the moment.
        catch_ups: its catch-ups, the earliest first.
    """

    send: Send
    recipients_by_state: Mapping[str, int]
    batches_by_state: Mapping[str, int]
    unknown_batches: tuple[UnknownBatchSummary, ...]
    in_flight_recipients: int
    lease_until: datetime.datetime | None
    next_claim_time: datetime.datetime | None
    now: datetime.datetime
    catch_ups: tuple[CatchUpSummary, ...] = ()

    @property
    def missing_recipients(self) -> int:
        """How many recipients have no record; anything but 0 is a bug.

        Always 0 if the send is running or large, since the accepted are not counted then.
        """
        return self.send.total - sum(self.recipients_by_state.values())

    @property
    def is_held_by_provider(self) -> bool:
        """Whether the provider holds emails until the send's time."""
        has_any = any(self.recipients_by_state.get(name) for name in ("accepted", "unknown"))
        return is_held(self.send, self.now) and has_any

    @property
    def phase(self) -> SendPhase:
        """What the send's record means at this moment."""
        return get_send_phase(self.send, self.now)

    def as_data(self) -> dict[str, Any]:
        """Return the status as JSON data, for scripts."""
        send = self.send
        return {
            "issue": send.issue,
            "state": send.state,
            "phase": self.phase,
            "total": send.total,
            "topic": send.topic,
            "readers": dict(self.recipients_by_state),
            "batches": dict(self.batches_by_state),
            "left_out": dict(send.excluded),
            "allowed": dict(send.allowed),
            "lost": self.missing_recipients,
            "in_flight": self.in_flight_recipients,
            "unknown": [
                {"batch": batch.number, "readers": batch.recipient_count, "reason": batch.reason}
                for batch in self.unknown_batches
            ],
            "reason": send.reason,
            "frozen_at": _format_time(send.frozen_at),
            "scheduled_at": _format_time(send.scheduled_at),
            f"held_by_{get_facts().key}": self.is_held_by_provider,
            "recalled_at": _format_time(send.recalled_at),
            "finished_at": _format_time(send.finished_at),
            "waits_until": _format_time(self.next_claim_time),
            "catch_ups": [
                {
                    "issue": catch_up.send.issue,
                    "state": catch_up.send.state,
                    "phase": catch_up.phase,
                    "total": catch_up.send.total,
                    "accepted": catch_up.accepted_count,
                }
                for catch_up in self.catch_ups
            ],
        }


def count_open_recipients(ledger: Ledger, send_record: Send) -> int:
    """Return how many recipients of a send are pending; fast, however many it has."""
    with read_transaction(ledger.engine) as connection:
        return _count_open(connection, send_record.id)


def get_send_status(ledger: Ledger, send_record: Send) -> SendStatus:
    """Return the status of a send; change nothing.

    Raises:
        SendRefusedError: another command has replaced the plan, of which nothing was sent.
    """
    in_send = batch.c.send_id == send_record.id
    earliest_retry = sa.func.min(sa.func.coalesce(batch.c.retry_at, batch.c.available_at)).filter(
        batch.c.state == "ready"
    )
    is_in_flight = batch.c.state == "in_flight"
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        current = load_sends(connection, send.c.id == send_record.id)
        if not current:
            raise replaced_error(send_record)
        batches = count_states(connection, batch, send_record.id)
        in_flight, lease_until, retry_at = connection.execute(
            sa.select(
                sa.func.coalesce(sa.func.sum(batch.c.size).filter(is_in_flight), 0),
                sa.func.max(batch.c.lease_until).filter(is_in_flight),
                earliest_retry,
            ).where(in_send)
        ).one()
        unknown_rows = connection.execute(
            sa.select(batch.c.id, batch.c.number, batch.c.error)
            .where(in_send, batch.c.state == "unknown")
            .order_by(batch.c.number)
        ).all()
        unknown_sizes = _count_by_batch(connection, [row.id for row in unknown_rows], "unknown")
        recipients = _count_recipients(connection, current[0], sum(unknown_sizes.values()))
        paused_until = connection.scalar(sa.select(provider_pause.c.paused_until))
        catch_ups = tuple(
            CatchUpSummary(
                part,
                get_send_phase(part, now),
                count_states(connection, send_recipient, part.id).get("accepted", 0),
            )
            for part in load_sends(connection, send.c.parent_id == send_record.id)
        )
    future = [time for time in (retry_at, paused_until) if time and time > now]
    return SendStatus(
        send=current[0],
        recipients_by_state=recipients,
        batches_by_state=batches,
        unknown_batches=tuple(
            UnknownBatchSummary(row.number, unknown_sizes[row.id], row.error)
            for row in unknown_rows
            if row.id in unknown_sizes
        ),
        in_flight_recipients=int(in_flight),
        lease_until=lease_until,
        next_claim_time=max(future, default=None) if batches.get("ready") else None,
        now=now,
        catch_ups=catch_ups,
    )


def _count_recipients(
    connection: sa.Connection, current: Send, unknown_count: int
) -> dict[str, int]:
    """Return state -> how many recipients, without states that nobody is in.

    Of a running send, all follows from its batches and from who was left out: to read each
    recipient every few seconds would burden the database that sends.
    """
    if current.state != "running" and current.total < LARGE_SEND_RECIPIENTS:
        return count_states(connection, send_recipient, current.id)
    counts = {
        "pending": _count_open(connection, current.id),
        "unknown": unknown_count,
        **_count_left_out(connection, current.id),
    }
    counts["accepted"] = current.total - sum(counts.values())
    return {state: count for state, count in counts.items() if count}


def _count_open(connection: sa.Connection, send_id: int) -> int:
    """Return how many recipients are pending: all of the open batches that nobody has claimed yet.

    Of those that were claimed, some recipients may have been left out or refused.
    """
    is_open = batch.c.state.in_(OPEN_BATCH_STATES)
    unclaimed = sa.select(sa.func.coalesce(sa.func.sum(batch.c.size), 0)).where(
        batch.c.send_id == send_id, is_open, batch.c.fence == 0
    )
    claimed = _find_batch_ids(connection, send_id, is_open, batch.c.fence > 0)
    return int(connection.scalar(unclaimed) or 0) + sum(
        _count_by_batch(connection, claimed, "pending").values()
    )


def _find_batch_ids(
    connection: sa.Connection, send_id: int, *conditions: sa.ColumnElement[bool]
) -> Sequence[int]:
    query = sa.select(batch.c.id).where(batch.c.send_id == send_id, *conditions)
    return connection.scalars(query).all()


def _count_by_batch(
    connection: sa.Connection, batch_ids: Sequence[int], state: str
) -> dict[int, int]:
    """Return id of a batch -> how many of its recipients are in a state, if any are.

    The batches are named: for a join, PostgreSQL would read all recipients of a large send.
    """
    query = (
        sa.select(send_recipient.c.batch_id, sa.func.count())
        .where(
            column_in(connection, send_recipient.c.batch_id, batch_ids),
            send_recipient.c.state == state,
        )
        .group_by(send_recipient.c.batch_id)
    )
    return dict(connection.execute(query).all()) if batch_ids else {}


def _count_left_out(connection: sa.Connection, send_id: int) -> dict[str, int]:
    query = (
        sa.select(send_recipient.c.state, sa.func.count())
        .where(
            send_recipient.c.send_id == send_id,
            HAS_REASON,
            send_recipient.c.state.in_(LEFT_OUT_STATES),
        )
        .group_by(send_recipient.c.state)
    )
    return dict(connection.execute(query).all())


def _format_time(time: datetime.datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
