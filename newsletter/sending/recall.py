"""Cancel a send here and at the provider, whose confirmation is a recall.

Only a confirmation in time is one. Whatever else it answers, the send stays on record as one
that may go out.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from newsletter.config import Config
from newsletter.errors import NothingToDoError, ProviderError, SendRefusedError
from newsletter.sending.ledger.leases import expire_leases
from newsletter.sending.ledger.pause_cancel_retry import cancel_send
from newsletter.sending.ledger.recall_record import (
    count_live_requests,
    record_recall,
    record_unconfirmed_recall,
)
from newsletter.sending.ledger.record import Ledger, Send, get_ledger_time, get_send
from newsletter.sending.ledger.send_phase import get_send_phase, is_recallable, was_recalled
from newsletter.sending.planning.send_schedule import (
    AFTER_TIME_REASON,
    describe_schedule,
    late_reason,
)
from newsletter.sending.providers.provider import ProviderClient


@dataclass(frozen=True, slots=True)
class LocalCancellation:
    """A send that no sender hands to the provider any more.

    Attributes:
        send: as it is now.
        dropped_count: how many recipients were dropped.
        is_recallable: whether the provider may hold emails of it that can still be cancelled.
    """

    send: Send
    dropped_count: int
    is_recallable: bool


def cancel_locally(ledger: Ledger, send_record: Send, config: Config) -> LocalCancellation:
    """Cancel what was not handed to the provider yet.

    Raises:
        NothingToDoError: it was cancelled already, and nobody gets more of it.
        SendRefusedError: it was sent; or it was cancelled, but too late; or the provider may hold
            it for the original of this database, which is a copy.
    """
    now = get_ledger_time(ledger)
    phase = get_send_phase(send_record, now)
    if phase == "uncertain" and not is_recallable(send_record, now):
        words = describe_schedule(send_record, now, ZoneInfo(config.timezone))
        raise SendRefusedError(
            f"{send_record.issue} {words}",
            remedy=f"{send_record.provider_name} can't be asked again. Its events show who got it: "
            f"newsletter status {send_record.slug}",
        )
    if phase == "recalled":
        raise NothingToDoError(f"{send_record.issue} was cancelled already; nobody has it")
    expire_leases(ledger, send_record)
    dropped_count = cancel_send(ledger, send_record)
    current = get_send(ledger, send_record.issue)
    assert current is not None
    # A second cancellation may find readers whose requests were in flight at the first.
    if send_record.state == "cancelled" and not (dropped_count or current.provider_batch_id):
        raise NothingToDoError(f"{send_record.issue} was cancelled already")
    can_be_recalled = is_recallable(current, now)
    if current.provider_batch_id and not can_be_recalled:
        record_unconfirmed_recall(ledger, current, AFTER_TIME_REASON)
    return LocalCancellation(current, dropped_count, can_be_recalled)


def recall_send(ledger: Ledger, send_record: Send, client: ProviderClient) -> Send:
    """Cancel at the provider what it holds of a cancelled send; return the recalled send.

    Raises:
        ProviderError: the provider has not confirmed it, or too late; it may still go out.
    """
    live_count = count_live_requests(ledger, send_record)
    try:
        client.cancel_scheduled(send_record.provider_batch_id)
    except ProviderError as error:
        record_unconfirmed_recall(ledger, send_record, error.problems[0].message)
        raise
    if live_count:
        # Requests that reach the provider after its confirmation may not be covered by it.
        reason = (
            f"the emails of {live_count:,} readers were on their way to "
            f"{send_record.provider_name} meanwhile"
        )
        record_unconfirmed_recall(ledger, send_record, reason)
        raise ProviderError(reason, remedy="Run the same command again in a minute.")
    recalled = record_recall(ledger, send_record)
    if not was_recalled(recalled):
        record_unconfirmed_recall(ledger, recalled, late_reason(recalled))
        raise ProviderError(
            f"{recalled.provider_name} has confirmed the cancellation, but less than 10 minutes "
            "before the scheduled time, when it guarantees nothing",
            remedy="Some readers may get it. Its events show who got it: newsletter status "
            f"{send_record.slug}",
        )
    return recalled
