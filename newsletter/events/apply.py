"""What new events change in the list: who has left, whose mailbox is gone, whose mail arrives.

Few queries, however many events there are: most are of mail that has arrived or was opened.
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
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES

EVENT_SOURCE = "SendGrid's events"
_CHUNK_SIZE = 500
_ID_PATTERN = re.compile("[0-9]{1,18}")
# Why SendGrid itself has dropped a mail, word for word. Other reasons are not about the reader.
_STATUS_BY_DROP_REASON = {
    "Bounced Address": "bounced",
    "Invalid": "bounced",
    "Unsubscribed Address": "unsubscribed",
    "Spam Reporting Address": "complained",
}
# group_resubscribe is not here: a click on SendGrid's page states no consent to this newsletter.
_STATUS_BY_EVENT_TYPE = {"spamreport": "complained", "unsubscribe": "unsubscribed"}


def apply_events(
    connection: sa.Connection,
    new_events: Sequence[RecordedEvent],
    *,
    soft_bounce_limit: int,
    asm_group: int | None,
    now: datetime.datetime,
) -> list[AppliedReport]:
    """Change whoever the events are about.

    The end is the same in whatever order the events come, with one exception: whoever has
    bounced softly too often stays bounced if a delivery from in between is reported later.

    Args:
        connection: the transaction in which they were recorded.
        new_events: those that were.
        soft_bounce_limit: so many soft bounces in a row are a bounce.
        asm_group: our unsubscribe group, if there is one.
        now: aware.

    Returns:
        The changes of somebody's status.
    """
    in_order = sorted(new_events, key=lambda one: (one.event.at, one.event.id))
    reports = [
        ProviderReport(one.event.address, word, one.event.at, _failure_reason(one.event))
        for one in in_order
        if one.address_key and (word := status_from_event(one.event, asm_group))
    ]
    reports += _reports_for_moved_subscribers(connection, in_order, asm_group)
    taken: list[AppliedReport] = []
    for start in range(0, len(reports), _CHUNK_SIZE):
        some = reports[start : start + _CHUNK_SIZE]
        taken += apply_reports(connection, some, EVENT_SOURCE, now, "webhook")
    return taken + _update_soft_bounces(connection, in_order, soft_bounce_limit)


def status_from_event(webhook_event: Event, asm_group: int | None) -> str | None:
    """The status that an event says somebody has from now on; ``None`` if it says none."""
    if webhook_event.type == "bounce":
        return "bounced" if webhook_event.raw.get("type") == "bounce" else None
    if webhook_event.type == "dropped":
        return _STATUS_BY_DROP_REASON.get(str(webhook_event.raw.get("reason")))
    if webhook_event.type == "group_unsubscribe":
        # The account may have groups that are about other mail.
        ours = webhook_event.send_id is not None or (
            asm_group is not None and webhook_event.raw.get("asm_group_id") == asm_group
        )
        return "unsubscribed" if ours else None
    return _STATUS_BY_EVENT_TYPE.get(webhook_event.type)


def is_soft_bounce(webhook_event: Event) -> bool:
    """Whether a mail was sent back this time only: full, too large, blocked."""
    return webhook_event.type == "bounce" and webhook_event.raw.get("type") != "bounce"


def _reports_for_moved_subscribers(
    connection: sa.Connection, new_events: Sequence[RecordedEvent], asm_group: int | None
) -> list[ProviderReport]:
    """What readers said by a mail to an address that they have left since: it is they who said it.

    A bounce is about the mailbox alone.
    """
    said = {
        (of.send_id, str(of.raw.get("nl_subscriber")), key): of
        for of, key in new_events
        if of.send_id and status_from_event(of, asm_group) in {"unsubscribed", "complained"}
    }
    ids = {int(id_) for _, id_, _ in said if _ID_PATTERN.fullmatch(id_)}
    mine = send_recipient.c.subscriber_id == subscriber.c.id
    moved = sa.select(
        send_recipient.c.send_id,
        subscriber.c.id,
        send_recipient.c.address_key,
        subscriber.c.address,
    ).where(
        mine,
        column_in(connection, subscriber.c.id, ids),
        subscriber.c.address_key != send_recipient.c.address_key,
    )
    rows = connection.execute(moved) if ids else ()
    found = ((said.get((send, str(id_), key)), address) for send, id_, key, address in rows)
    return [
        ProviderReport(address, str(status_from_event(of, asm_group)), of.at, _failure_reason(of))
        for of, address in found
        if of
    ]


def _update_soft_bounces(
    connection: sa.Connection, new_events: Sequence[RecordedEvent], soft_bounce_limit: int
) -> list[AppliedReport]:
    """Count soft bounces from what is on record, since events come in any order."""
    bounced = {one.address_key: one.event for one in new_events if is_soft_bounce(one.event)}
    arrived = {one.address_key: one.event for one in new_events if one.event.type == "delivered"}
    taken = []
    for key, before, counted, target in _find_soft_bounce_counts(connection, bounced, arrived):
        missing = target - counted
        if missing < 0 and key in arrived:
            changes.record_delivery(
                connection, key, ChangeOrigin(arrived[key].at, "webhook", EVENT_SOURCE)
            )
            missing = target
        after = before
        last = bounced.get(key) or arrived[key]
        origin = ChangeOrigin(last.at, "webhook", EVENT_SOURCE, _failure_reason(last))
        for _ in range(missing):
            changed = changes.record_soft_bounce(
                connection, key, origin, max_soft_bounces=soft_bounce_limit
            )
            if changed is None or changed.after in SUPPRESSED_STATUSES:
                after = "bounced"
                break
        if after != before:
            taken.append(
                AppliedReport(
                    key, listed=True, before=before, after=after, wording=_failure_reason(last)
                )
            )
    return taken


def _find_soft_bounce_counts(
    connection: sa.Connection, bounced: Collection[str], arrived: Collection[str]
) -> list[tuple[str, str, int, int]]:
    """Key, status, soft bounces as counted and as they are, where the two differ."""
    one_time, later = event.alias(), event.alias()
    since = (
        sa.exists().where(
            later.c.address_key == subscriber.c.address_key,
            later.c.type == "delivered",
            later.c.at >= one_time.c.at,
        ),
        sa.exists().where(
            journal.c.subscriber_id == subscriber.c.id,
            journal.c.change.in_(("delivered", "resubscribed")),
            journal.c.at >= one_time.c.at,
        ),
    )
    target = (
        sa.select(sa.func.count())
        .where(
            one_time.c.address_key == subscriber.c.address_key,
            one_time.c.type == "bounce",
            sa.func.coalesce(one_time.c.raw["type"].as_string(), "") != "bounce",
            *(~each.correlate(subscriber, one_time) for each in since),
        )
        .correlate(subscriber)
        .scalar_subquery()
    )
    rows = []
    for keys, only in ((bounced, sa.true()), (arrived, subscriber.c.soft_bounces > 0)):
        if keys:
            query = sa.select(
                subscriber.c.address_key, subscriber.c.status, subscriber.c.soft_bounces, target
            ).where(
                column_in(connection, subscriber.c.address_key, keys),
                subscriber.c.status.not_in(SUPPRESSED_STATUSES),
                only,
            )
            rows += [tuple(row) for row in connection.execute(query)]
    return [row for row in dict.fromkeys(rows) if row[2] != row[3]]


def _failure_reason(webhook_event: Event) -> str:
    """SendGrid's words, without their line breaks."""
    return " ".join(
        str(webhook_event.raw.get("reason") or webhook_event.raw.get("status") or "").split()
    )[:500]
