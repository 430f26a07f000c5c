"""When and how fast a send goes: request it, record it, say it in words."""

import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from newsletter.db.schema import batch, send
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.notification_claims import delete_notification_claims
from newsletter.sending.ledger.pause_cancel_retry import MANUAL_STOP_REASON
from newsletter.sending.ledger.record import (
    Ledger,
    Send,
    changed_meanwhile_error,
    get_send,
    schedule_unchanged,
)
from newsletter.sending.ledger.send_phase import get_send_phase, is_held
from newsletter.sending.planning.schedule import ScheduledTime, format_schedule_time
from newsletter.sending.providers.provider import ProviderClient

AFTER_TIME_REASON = "it was cancelled after that time"


class SendSchedule(NamedTuple):
    """When and how fast a send goes.

    Attributes:
        scheduled_at: when it goes out; ``None`` for at once.
        undo_seconds: the length of the undo window, 0 without one.
        provider_batch_id: the provider's id for what it holds; empty if it waits on this machine.
        limit_per_hour: recipients; ``None`` to leave it as it is, 0 for no limit.
    """

    scheduled_at: datetime.datetime | None = None
    undo_seconds: int = 0
    provider_batch_id: str = ""
    limit_per_hour: int | None = None


def save_schedule(ledger: Ledger, send_record: Send, schedule: SendSchedule) -> Send:
    """Record when and how fast a send goes; return the send with its schedule.

    Raises:
        SendRefusedError: its state or its time has changed meanwhile, it has started and can't be
            scheduled any more, or a batch is larger than the hourly limit.
    """
    values: dict[str, Any] = {}
    if schedule.limit_per_hour is not None:
        values["limit_per_hour"] = schedule.limit_per_hour
    if schedule.scheduled_at:
        if send_record.state != "frozen":
            raise SendRefusedError(
                f"{send_record.issue} has started and can't be scheduled any more",
                remedy=(
                    "Resume it without --at and --undo-window: newsletter resume "
                    f"{send_record.slug}"
                ),
            )
        values |= {
            "scheduled_at": schedule.scheduled_at,
            "undo_seconds": schedule.undo_seconds,
            "provider_batch_id": schedule.provider_batch_id,
        }
    if not values:
        return send_record
    is_ready = sa.and_(batch.c.send_id == send_record.id, batch.c.state == "ready")
    largest = sa.select(sa.func.max(batch.c.size)).where(is_ready)
    with ledger.engine.begin() as connection:
        if schedule.limit_per_hour and (connection.scalar(largest) or 0) > schedule.limit_per_hour:
            raise SendRefusedError(
                f"{send_record.issue} is planned in batches of more than "
                f"{schedule.limit_per_hour:,}",
                remedy="Plan smaller ones with: "
                f"{send_record.replan_command} --batch-size "
                f"{schedule.limit_per_hour}",
            )
        updated = connection.execute(
            sa.update(send)
            .where(
                send.c.id == send_record.id,
                send.c.state == send_record.state,
                schedule_unchanged(send_record),
            )
            .values(values)
        )
        if updated.rowcount != 1:
            raise changed_meanwhile_error(send_record)
        if schedule.scheduled_at:
            delete_notification_claims(connection, send_record.id)
    scheduled = get_send(ledger, send_record.issue)
    assert scheduled is not None
    return scheduled


def request_schedule(
    client: ProviderClient,
    scheduled_time: ScheduledTime | None,
    limit_per_hour: int | None,
    now: datetime.datetime,
) -> SendSchedule:
    """Return when and how fast a send goes, with the provider's id if the provider holds it.

    The id is requested before anything is written: without it, no send may be recorded as
    scheduled.

    Args:
        client: the client that requests the id.
        scheduled_time: when the send goes; ``None`` for at once.
        limit_per_hour: recipients; ``None`` to leave it as it is.
        now: by the ledger's clock; this machine's may be wrong.

    Raises:
        ProviderError: the provider returned no id.
    """
    if scheduled_time is None:
        return SendSchedule(limit_per_hour=limit_per_hour)
    batch_id = client.create_schedule_id() if scheduled_time.held_by_provider else ""
    start = scheduled_time.get_start_time(now)
    return SendSchedule(start, scheduled_time.undo_seconds, batch_id, limit_per_hour)


def late_reason(send_record: Send) -> str:
    """Return why a cancellation that was confirmed is not certain: it came too late."""
    return (
        f"{send_record.provider_name} confirmed it less than 10 minutes before that time, when it "
        "guarantees nothing"
    )


def describe_schedule(send_record: Send, now: datetime.datetime, zone: ZoneInfo) -> str:
    """Return what becomes of a scheduled or recalled send, without a full stop; else ``""``.

    A phrase whose subject is the issue: ``is scheduled for Tue 24 Nov 2026 09:00 Europe/Oslo``.
    """
    if send_record.scheduled_at is None:
        return ""
    time = format_schedule_time(send_record.scheduled_at, zone)
    is_future = send_record.scheduled_at > now
    provider, reason = send_record.provider_name, send_record.reason
    if reason in {"", MANUAL_STOP_REASON}:
        reason = f"{provider} has not confirmed it"
    phase = get_send_phase(send_record, now)
    if is_held(send_record, now):
        phase = "held"
    return {
        ("waiting", True): f"is scheduled for {time}; it waits here until then",
        ("waiting", False): f"was due at {time}, and nothing has started it",
        ("held", True): f"is scheduled for {time}; {provider} holds it until then",
        ("recalled", is_future): f"was cancelled at {provider} in time: nobody has it",
        ("uncertain", True): f"was cancelled, but may still go out at {time}: {reason}",
        ("uncertain", False): f"was cancelled, but may have gone out at {time}: {reason}",
        ("planned", is_future): (
            f"was planned for {time}, but nothing of it was handed to {provider}"
        ),
    }.get((phase, is_future), "")
