"""Status of a send, all of it read at one moment."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import batch, provider_pause, send, send_recipient
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.sending.ledger.state_machine import is_recallable


@dataclass(frozen=True, slots=True)
class UnknownBatchSummary:
    """A batch that nobody can vouch for: its number, its readers, and what happened."""

    number: int
    recipient_count: int
    reason: str


@dataclass(frozen=True, slots=True)
class SendStatus:
    """A send as it stands.

    Attributes:
        send: itself.
        recipients_by_state: state -> how many; they add up to the send's total.
        batches_by_state: state -> how many.
        unknown_batches: the unknown batches.
        in_flight_recipients: readers whose request is on its way.
        lease_until: until when the sender of the latest of those is believed to be alive.
        next_claim_time: before then no batch goes, because of the vendor, the pace, or a failure.
        now: when it was looked at.
    """

    send: Send
    recipients_by_state: Mapping[str, int]
    batches_by_state: Mapping[str, int]
    unknown_batches: tuple[UnknownBatchSummary, ...]
    in_flight_recipients: int
    lease_until: datetime.datetime | None
    next_claim_time: datetime.datetime | None
    now: datetime.datetime

    @property
    def missing_recipients(self) -> int:
        """Readers of whom there is no record; anything but 0 is a fault of ours."""
        return self.send.total - sum(self.recipients_by_state.values())

    @property
    def is_held_by_provider(self) -> bool:
        """Whether SendGrid holds mail that may still be taken back."""
        return is_recallable(self.send, self.now)

    def as_data(self) -> dict[str, Any]:
        """For a script."""
        send_record = self.send
        return {
            "issue": send_record.issue,
            "state": send_record.state,
            "total": send_record.total,
            "readers": dict(self.recipients_by_state),
            "batches": dict(self.batches_by_state),
            "left_out": dict(send_record.excluded),
            "allowed": dict(send_record.allowed),
            "lost": self.missing_recipients,
            "in_flight": self.in_flight_recipients,
            "unknown": [
                {
                    "batch": unknown_batch.number,
                    "readers": unknown_batch.recipient_count,
                    "reason": unknown_batch.reason,
                }
                for unknown_batch in self.unknown_batches
            ],
            "reason": send_record.reason,
            "frozen_at": _format_time(send_record.frozen_at),
            "scheduled_at": _format_time(send_record.scheduled_at),
            "held_by_sendgrid": self.is_held_by_provider,
            "recalled_at": _format_time(send_record.recalled_at),
            "finished_at": _format_time(send_record.finished_at),
            "waits_until": _format_time(self.next_claim_time),
        }


def list_issues_with_sends(ledger: Ledger) -> list[str]:
    """The issues of all sends, the latest first."""
    with read_transaction(ledger.engine) as connection:
        query = sa.select(send.c.issue).order_by(send.c.frozen_at.desc(), send.c.id.desc())
        return list(connection.scalars(query))


def get_send_status(ledger: Ledger, send_record: Send) -> SendStatus:
    """See how a send stands; changes nothing."""
    own_batches = batch.c.send_id == send_record.id
    columns = [send.c[name] for name in Send.__slots__]
    open_waits = sa.func.min(sa.func.coalesce(batch.c.retry_at, batch.c.available_at)).filter(
        batch.c.state == "ready"
    )
    in_flight = batch.c.state == "in_flight"
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        sent = Send(
            *connection.execute(sa.select(*columns).where(send.c.id == send_record.id)).one()
        )
        state = send_recipient.c.state
        counted = sa.select(state, sa.func.count()).where(
            send_recipient.c.send_id == send_record.id
        )
        readers: dict[str, int] = dict(connection.execute(counted.group_by(state)).all())
        counted = (
            sa.select(batch.c.state, sa.func.count()).where(own_batches).group_by(batch.c.state)
        )
        batches: dict[str, int] = dict(connection.execute(counted).all())
        flying, lease_until, waits = connection.execute(
            sa.select(
                sa.func.coalesce(sa.func.sum(batch.c.size).filter(in_flight), 0),
                sa.func.max(batch.c.lease_until).filter(in_flight),
                open_waits,
            ).where(own_batches)
        ).one()
        unknown = connection.execute(
            sa.select(batch.c.number, sa.func.count(), batch.c.error)
            .join(send_recipient, send_recipient.c.batch_id == batch.c.id)
            .where(own_batches, batch.c.state == "unknown", state == "unknown")
            .group_by(batch.c.id, batch.c.number, batch.c.error)
            .order_by(batch.c.number)
        ).all()
        throttled = connection.scalar(sa.select(provider_pause.c.paused_until))
    later = [time for time in (waits, throttled) if time and time > now]
    return SendStatus(
        send=sent,
        recipients_by_state=readers,
        batches_by_state=batches,
        unknown_batches=tuple(UnknownBatchSummary(*row) for row in unknown),
        in_flight_recipients=int(flying),
        lease_until=lease_until,
        next_claim_time=max(later, default=None) if batches.get("ready") else None,
        now=now,
    )


def _format_time(time: datetime.datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
