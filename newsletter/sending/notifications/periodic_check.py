"""Notify about sends that have stopped unnoticed, or have no events."""

import datetime

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import event, send, send_recipient
from newsletter.sending.ledger.copied_database import find_copy
from newsletter.sending.ledger.notification_claims import (
    claim_no_events_notification,
    claim_run_notification,
    load_run_kind,
    no_events_claimed,
)
from newsletter.sending.ledger.record import Send, load_sends
from newsletter.sending.notifications.notification import choose_kind, clean_line, describe_send
from newsletter.sending.notifications.notifier import Notifier

# What happened before that is no news: the settings may have been added only now.
MAX_AGE = datetime.timedelta(days=7)
_STOPPED_STATES = ("paused", "blocked", "needs_review")


def notify_overdue(notifier: Notifier) -> None:
    """Notify about scheduled sends that have stopped, and finished sends without any event.

    Several processes may do so at the same time: the editor is notified once.
    """
    if not notifier.project.config.notify.is_set:
        return
    try:
        _notify_stopped(notifier)
        _notify_without_events(notifier)
    except Exception as error:  # noqa: BLE001 - no send may fail because of it
        reason = clean_line(str(error))
        notifier.on_failure(f"The sends could not be checked for notifications: {reason}")


def _notify_stopped(notifier: Notifier) -> None:
    """Notify about sends that no sender has notified about, as it was killed or never ran."""
    with read_transaction(notifier.ledger.engine) as connection:
        now = notifier.ledger.clock(connection)
        stopped = load_sends(
            connection,
            send.c.state.in_(_STOPPED_STATES),
            send.c.provider_batch_id == "",
            send.c.scheduled_at > now - MAX_AGE,
        )
        notified_kinds = [load_run_kind(connection, found.id) for found in stopped]
    for found, notified_kind in zip(stopped, notified_kinds, strict=True):
        facts = notifier.load_facts(found)
        kind = choose_kind(facts)
        if kind is None or kind == notified_kind:
            continue
        with notifier.ledger.engine.begin() as connection:
            is_claimed = claim_run_notification(connection, facts.send.id, kind)
        if is_claimed:
            notifier.notify(describe_send(kind, facts))


def _notify_without_events(notifier: Notifier) -> None:
    config = notifier.project.config
    hours, options = config.notify.no_events_after, config.sendgrid
    has_webhook = bool(options.webhook_key or options.webhook_unsigned)
    if not hours or not has_webhook or options.sandbox:
        return
    copied = find_copy(notifier.ledger.engine)
    if copied and not copied.is_failover:
        return  # the provider reports to the original
    for found in _find_sends_without_events(notifier, datetime.timedelta(hours=hours)):
        with notifier.ledger.engine.begin() as connection:
            is_claimed = claim_no_events_notification(connection, found.id)
        if is_claimed:
            notifier.notify(describe_send("no_events", notifier.load_facts(found), hours))


def _find_sends_without_events(notifier: Notifier, length: datetime.timedelta) -> list[Send]:
    # What the provider holds has no events before its time.
    left_at = sa.case(
        (
            sa.and_(send.c.provider_batch_id != "", send.c.scheduled_at > send.c.finished_at),
            send.c.scheduled_at,
        ),
        else_=send.c.finished_at,
    )
    accepted = sa.exists().where(
        send_recipient.c.send_id == send.c.id, send_recipient.c.state == "accepted"
    )
    has_events = sa.exists().where(event.c.send_id == send.c.id)
    with read_transaction(notifier.ledger.engine) as connection:
        now = notifier.ledger.clock(connection)
        return load_sends(
            connection,
            send.c.state == "done",
            send.c.recalled_at.is_(None),
            left_at <= now - length,
            left_at > now - MAX_AGE,
            accepted,
            ~has_events,
            ~no_events_claimed(send.c.id),
        )
