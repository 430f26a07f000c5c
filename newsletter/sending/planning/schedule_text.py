"""Say in words when a send goes, or whether it was recalled. Pure.

``send``, ``status``, ``cancel``, ``reschedule`` and ``report`` take their words from here.
"""

import datetime
from zoneinfo import ZoneInfo

from newsletter.sending.ledger.pause_cancel_retry import MANUAL_STOP_REASON
from newsletter.sending.ledger.record import Send
from newsletter.sending.ledger.send_phase import get_send_phase, is_held
from newsletter.sending.planning.schedule import format_schedule_time

AFTER_TIME_REASON = "it was cancelled after that time"


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
