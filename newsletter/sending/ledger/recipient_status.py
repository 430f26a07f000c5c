"""Status of each recipient of a send, with the reason."""

import datetime
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import HAS_REASON, batch, event, send_recipient, subscriber
from newsletter.db.transaction import without_nested_loops
from newsletter.sending.ledger.record import Send
from newsletter.sending.ledger.send_phase import was_recalled

PAGE_SIZE = 5_000
# What the provider reports of an email, in the order in which it can happen in the same second.
EVENT_LABELS: Mapping[str, str] = {
    "processed": "processed",
    "deferred": "deferred",
    "delivered": "delivered",
    "dropped": "dropped",
    "bounce": "bounced",
    "open": "opened",
    "click": "clicked",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
    "group_resubscribe": "resubscribed",
    "spamreport": "reported as spam",
}
_UNDELIVERED_EVENTS = ("bounce", "dropped")


class RecipientStateLabels(NamedTuple):
    """What a recipient's state is called on screen; with ``{provider}`` for the provider's name.

    Attributes:
        in_send: among the other recipients of a send.
        in_history: among the other issues of a reader.
        reason: where the ledger holds no reason; may be empty.
    """

    in_send: str
    in_history: str
    reason: str = ""


# In the order in which a send's states are listed. "recalled" is what the provider had accepted
# before the send was cancelled there.
RECIPIENT_STATE_LABELS: Mapping[str, RecipientStateLabels] = {
    state: RecipientStateLabels(*labels)
    for state, labels in {
        "accepted": ("sent", "sent", "accepted by {provider}"),
        "skipped_late": ("left the list meanwhile", "left out at the last moment"),
        "rejected": ("refused by {provider}", "refused by {provider}"),
        "dropped": ("given up", "given up"),
        "unknown": ("unknown", "may or may not have been sent", "may or may not have it"),
        "pending": ("still to go", "still to go", "not sent yet"),
        "recalled": (
            "sent",
            "cancelled at {provider} before it was delivered",
            "accepted by {provider}, then cancelled",
        ),
    }.items()
}
UNCERTAIN_REASON = (
    "may or may not have it: accepted by {provider}, which has not confirmed in time that it is "
    "cancelled"
)


class RecipientStatus(NamedTuple):
    """The status of one recipient.

    Attributes:
        address: as on the list; its key if the subscriber is no longer there.
        state: one of ``newsletter.db.schema.RECIPIENT_STATES``.
        batch: the number of the recipient's latest batch.
        reason: why the recipient is in that state, as readable text.
        last_event: the latest event that a person or a mail server has caused, one of
            ``EVENT_LABELS``; empty if none was reported.
        last_event_at: when that was.
    """

    address: str
    state: str
    batch: int
    reason: str
    last_event: str = ""
    last_event_at: datetime.datetime | None = None


def count_rejection_reasons(connection: sa.Connection, send_record: Send) -> list[tuple[str, int]]:
    """Return the provider's reasons for rejecting recipients, the most frequent first.

    Args:
        connection: in a transaction.
        send_record: the send.

    Returns:
        Each reason with the number of its recipients; empty if nobody was rejected.
    """
    reason, count = send_recipient.c.error, sa.func.count()
    query = (
        sa.select(reason, count)
        .where(
            send_recipient.c.send_id == send_record.id,
            HAS_REASON,
            send_recipient.c.state == "rejected",
        )
        .group_by(reason)
        .order_by(count.desc(), ByCodePoint(reason))
    )
    return [tuple(row) for row in connection.execute(query)]


def iter_recipients(
    connection: sa.Connection, send_record: Send, *, only_missed: bool = False
) -> Iterator[RecipientStatus]:
    """Yield the status of every recipient, in the list's order; memory use is constant.

    Args:
        connection: in a transaction.
        send_record: the send.
        only_missed: leave out the recipients whom the provider has accepted, if it may deliver to
            them, and no bounce was reported since.
    """
    recipients = send_recipient.c
    latest = _select_latest_events(send_record).subquery()
    is_latest = sa.and_(latest.c.address_key == recipients.address_key, latest.c.rank == 1)
    query = (
        sa.select(
            sa.func.coalesce(subscriber.c.address, recipients.address_key),
            recipients.state,
            batch.c.number,
            recipients.error,
            batch.c.error,
            latest.c.type,
            latest.c.at,
        )
        .select_from(
            send_recipient.join(batch, batch.c.id == recipients.batch_id)
            .outerjoin(subscriber, subscriber.c.id == recipients.subscriber_id)
            .outerjoin(latest, is_latest)
        )
        .where(recipients.send_id == send_record.id)
        .order_by(recipients.subscriber_id)
        .execution_options(yield_per=PAGE_SIZE)
    )
    if only_missed and not send_record.is_cancelled_at_provider:
        is_undelivered = latest.c.type.in_(_UNDELIVERED_EVENTS)
        query = query.where(sa.or_(recipients.state != "accepted", is_undelivered))
    with without_nested_loops(connection):
        rows = connection.execute(query)
    for address, state, number, recipient_error, batch_error, type_, at in rows:
        reason = describe_recipient_state(send_record, state, recipient_error, batch_error)
        yield RecipientStatus(address, state, number, reason, type_ or "", at)


def _select_latest_events(send_record: Send) -> sa.Select[str, str, datetime.datetime, int]:
    """Return a query for the events of a send, each with its rank among those of its recipient.

    Read by the index of the send's events: so it takes no longer for a list with a long history.
    """
    order = sa.case({type_: rank for rank, type_ in enumerate(EVENT_LABELS)}, value=event.c.type)
    rank = sa.func.row_number().over(
        partition_by=event.c.address_key, order_by=(event.c.at.desc(), order.desc())
    )
    return sa.select(event.c.address_key, event.c.type, event.c.at, rank.label("rank")).where(
        event.c.send_id == send_record.id,
        event.c.type.in_(EVENT_LABELS),
        sa.not_(event.c.is_bot),
    )


def describe_recipient_state(
    send_record: Send, state: str, recipient_error: str, batch_error: str
) -> str:
    """Return why a recipient is in ``state``, as readable text.

    Args:
        send_record: the send.
        state: the recipient's state.
        recipient_error: the error that the ledger holds for this recipient, or ``""``.
        batch_error: the error that it holds for the recipient's batch, or ``""``.
    """
    reason = RECIPIENT_STATE_LABELS[state].reason or batch_error
    if state in {"accepted", "unknown"} and send_record.is_cancelled_at_provider:
        is_recalled = was_recalled(send_record)
        reason = RECIPIENT_STATE_LABELS["recalled"].reason if is_recalled else UNCERTAIN_REASON
        return reason.format(provider=send_record.provider_name)
    if state == "accepted":
        reason = reason.format(provider=send_record.provider_name)
    if state == "unknown" and batch_error:
        return f"{reason}: {batch_error}"
    if state == "pending" and send_record.state in {"paused", "blocked", "cancelled"}:
        return f"{reason}; the send is {send_record.state}: {send_record.reason}"
    return recipient_error or reason
