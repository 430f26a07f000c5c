"""Apply new events to the list: unsubscribes, complaints, bounces.

The number of queries doesn't grow with the number of events: most events are deliveries and opens,
which change nothing.
"""

import datetime
import re
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from newsletter.db.bulk import column_in
from newsletter.db.schema import event, journal, send_recipient, subscriber
from newsletter.events.parse import Event
from newsletter.events.store import RecordedEvent
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.delivery_feedback import (
    AppliedReport,
    ProviderReport,
    apply_reports,
)
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.status_codes import find_status_code, is_missing_mailbox
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES

EVENT_SOURCE = "SendGrid's events"
_CHUNK_SIZE = 500
_ID_PATTERN = re.compile("[0-9]{1,18}")
# The exact reason of SendGrid's dropped events. Other reasons are not about the subscriber.
_STATUS_BY_DROP_REASON = {
    "Bounced Address": "bounced",
    "Invalid": "bounced",
    "Unsubscribed Address": "unsubscribed",
    "Spam Reporting Address": "complained",
}
# Without group_resubscribe: a click on SendGrid's page is not consent to this newsletter.
_STATUS_BY_EVENT_TYPE = {"spamreport": "complained", "unsubscribe": "unsubscribed"}


def apply_events(
    connection: sa.Connection,
    new_events: Sequence[RecordedEvent],
    *,
    soft_bounce_limit: int,
    asm_group: int | None,
    now: datetime.datetime,
) -> list[AppliedReport]:
    """Update the subscribers that the events are about.

    The result does not depend on the order in which events arrive, with one exception: a
    subscriber who has reached the limit of soft bounces stays bounced even if a delivery between
    two of them is reported later, and so does one who reaches it because two reports of one email
    show only later that they are of one.

    Args:
        connection: the transaction in which the events were recorded.
        new_events: the newly recorded events.
        soft_bounce_limit: this many soft bounces in a row count as a bounce.
        asm_group: our unsubscribe group, if there is one.
        now: aware.

    Returns:
        The changes of subscribers' statuses.
    """
    in_order = sorted(new_events, key=lambda recorded: (recorded.event.at, recorded.event.id))
    reports = [
        ProviderReport(
            recorded.event.address, status, recorded.event.at, _failure_reason(recorded.event)
        )
        for recorded in in_order
        if recorded.address_key and (status := status_from_event(recorded.event, asm_group))
    ]
    reports += find_moved_reports(connection, in_order, asm_group)
    applied: list[AppliedReport] = []
    for start in range(0, len(reports), _CHUNK_SIZE):
        chunk = reports[start : start + _CHUNK_SIZE]
        applied += apply_reports(connection, chunk, EVENT_SOURCE, now, "webhook")
    return applied + _update_soft_bounces(connection, in_order, soft_bounce_limit)


def status_from_event(webhook_event: Event, asm_group: int | None) -> str | None:
    """Return the subscriber's new status according to an event, or ``None`` if unchanged."""
    if webhook_event.type == "bounce":
        return None if is_soft_bounce(webhook_event) else "bounced"
    if webhook_event.type == "dropped":
        return _STATUS_BY_DROP_REASON.get(str(webhook_event.raw.get("reason")))
    if webhook_event.type == "group_unsubscribe":
        # The account may have groups for other mailings. An event that names none may be of ours.
        group = webhook_event.raw.get("asm_group_id")
        is_ours = webhook_event.send_id is not None or group is None
        # As text: programs that export or relay events may write numbers in quotes.
        is_ours = is_ours or (asm_group is not None and str(group) == str(asm_group))
        return "unsubscribed" if is_ours else None
    return _STATUS_BY_EVENT_TYPE.get(webhook_event.type)


def is_soft_bounce(webhook_event: Event) -> bool:
    """Return whether an event is a temporary failure: mailbox full, too large, blocked.

    SendGrid's ``type`` decides: ``bounce`` is permanent, ``blocked`` temporary. If it is anything
    else, or missing, the server's enhanced status code does.
    """
    if webhook_event.type != "bounce":
        return False
    kind = webhook_event.raw.get("type")
    if kind in ("bounce", "blocked"):
        return bool(kind == "blocked")
    texts = (str(webhook_event.raw.get(key) or "") for key in ("status", "reason"))
    return not is_missing_mailbox(find_status_code(texts))


def find_moved_reports(
    connection: sa.Connection, new_events: Sequence[RecordedEvent], asm_group: int | None
) -> list[ProviderReport]:
    """Return the reports for subscribers who have changed their address since the send.

    Unsubscribing or complaining in an email to the old address counts for the subscriber. A bounce
    is about the mailbox only, so it does not.
    """
    by_recipient = {
        (item.send_id, str(item.raw.get("nl_subscriber")), key): item
        for item, key in new_events
        if item.send_id and status_from_event(item, asm_group) in {"unsubscribed", "complained"}
    }
    ids = {int(id_) for _, id_, _ in by_recipient if _ID_PATTERN.fullmatch(id_)}
    is_recipient = send_recipient.c.subscriber_id == subscriber.c.id
    moved = sa.select(
        send_recipient.c.send_id,
        subscriber.c.id,
        send_recipient.c.address_key,
        subscriber.c.address,
    ).where(
        is_recipient,
        column_in(connection, subscriber.c.id, ids),
        subscriber.c.address_key != send_recipient.c.address_key,
    )
    rows = connection.execute(moved) if ids else ()
    matches = (
        (by_recipient.get((send_id, str(id_), key)), address) for send_id, id_, key, address in rows
    )
    return [
        ProviderReport(
            address, str(status_from_event(item, asm_group)), item.at, _failure_reason(item)
        )
        for item, address in matches
        if item
    ]


def _update_soft_bounces(
    connection: sa.Connection, new_events: Sequence[RecordedEvent], soft_bounce_limit: int
) -> list[AppliedReport]:
    """Recount soft bounces from all recorded events, since events arrive in any order.

    It is emails that are counted, not events: the bounce of one email may be reported several
    times, under new ids.
    """
    bounced = {
        recorded.address_key: recorded.event
        for recorded in new_events
        if is_soft_bounce(recorded.event)
    }
    delivered = {
        recorded.address_key: recorded.event
        for recorded in new_events
        if recorded.event.type == "delivered"
    }
    applied = []
    for key, before, counted, target in _find_soft_bounce_counts(connection, bounced, delivered):
        missing = target - counted
        if missing < 0 and key in delivered:
            changes.record_delivery(
                connection, key, ChangeOrigin(delivered[key].at, "webhook", EVENT_SOURCE)
            )
            missing = target
        after = before
        last = bounced.get(key) or delivered[key]
        origin = ChangeOrigin(last.at, "webhook", EVENT_SOURCE, _failure_reason(last))
        for _ in range(missing):
            change = changes.record_soft_bounce(
                connection, key, origin, max_soft_bounces=soft_bounce_limit
            )
            if change is None or change.after in SUPPRESSED_STATUSES:
                after = "bounced"
                break
        if after != before:
            applied.append(
                AppliedReport(
                    key, listed=True, before=before, after=after, wording=_failure_reason(last)
                )
            )
    return applied


def _find_soft_bounce_counts(
    connection: sa.Connection, bounced: Collection[str], delivered: Collection[str]
) -> list[tuple[str, str, int, int]]:
    """Return the subscribers whose count of soft bounces is not that of the recorded events.

    An email is known by its send; an event without one, by the send that any event with the same
    message id names.

    Returns:
        Address key, status, soft bounces as stored, and as they should be.
    """
    soft_bounce, later, same_email = event.alias(), event.alias(), event.alias()
    resets = (
        sa.exists().where(
            later.c.address_key == subscriber.c.address_key,
            later.c.type == "delivered",
            later.c.at >= soft_bounce.c.at,
        ),
        sa.exists().where(
            journal.c.subscriber_id == subscriber.c.id,
            # Before it was in the list, and before a confirmation proved that it works.
            sa.or_(
                journal.c.seq == 1,
                journal.c.change.in_(("confirmed", "delivered", "resubscribed")),
            ),
            journal.c.at >= soft_bounce.c.at,
        ),
    )
    message_id = _message_id(soft_bounce)
    named_send = (
        sa.select(sa.func.max(same_email.c.send_id))
        .where(
            same_email.c.address_key == soft_bounce.c.address_key,
            _message_id(same_email) == message_id,
        )
        .correlate(soft_bounce)
        .scalar_subquery()
    )
    bounced_email = sa.func.coalesce(
        sa.cast(sa.func.coalesce(soft_bounce.c.send_id, named_send), sa.Text),
        message_id,
        soft_bounce.c.sg_event_id,
    )
    target = (
        sa.select(sa.func.count(sa.distinct(bounced_email)))
        .where(
            soft_bounce.c.address_key == subscriber.c.address_key,
            soft_bounce.c.type == "bounce",
            sa.func.coalesce(soft_bounce.c.raw["type"].as_string(), "") != "bounce",
            *(~reset.correlate(subscriber, soft_bounce) for reset in resets),
        )
        .correlate(subscriber)
        .scalar_subquery()
    )
    rows = []
    for keys, condition in ((bounced, sa.true()), (delivered, subscriber.c.soft_bounces > 0)):
        if keys:
            query = sa.select(
                subscriber.c.address_key, subscriber.c.status, subscriber.c.soft_bounces, target
            ).where(
                column_in(connection, subscriber.c.address_key, keys),
                subscriber.c.status.not_in(SUPPRESSED_STATUSES),
                condition,
            )
            rows += [tuple(row) for row in connection.execute(query)]
    return [row for row in dict.fromkeys(rows) if row[2] != row[3]]


def _message_id(events: sa.FromClause) -> sa.ColumnElement[str | None]:
    return sa.func.nullif(events.c.raw["sg_message_id"].as_string(), "")


def _failure_reason(webhook_event: Event) -> str:
    """Return SendGrid's reason without line breaks, at most 500 characters."""
    return " ".join(
        str(webhook_event.raw.get("reason") or webhook_event.raw.get("status") or "").split()
    )[:500]
