"""Pause a running send if many of its first emails bounce or are spam.

The events of an old or bought list show it at once; the rest of the send would cost the sender's
reputation. After the editor has resumed a send, it is not paused for that again.
"""

from collections import Counter
from collections.abc import Collection, Mapping

import sqlalchemy as sa

from newsletter.config.models import Limits
from newsletter.db.bulk import column_in
from newsletter.db.schema import event, send, setting
from newsletter.db.stored_settings import write_setting
from newsletter.sending.ledger.record import stop_send_in_transaction

# Fewer events prove nothing; more are not counted again with each new one.
MIN_EVENTS = 100
MAX_EVENTS = 2_000
# One reader's mistaken click on "spam" is no trend.
MIN_COMPLAINTS = 3
_KEY_PREFIX = "breaker "


def pause_harmful_sends(
    connection: sa.Connection, send_ids: Collection[int], limits: Limits
) -> tuple[str, ...]:
    """Pause those of the running sends whose events pass a limit; return their issues.

    Args:
        connection: the transaction in which the events were recorded.
        send_ids: the sends that the new events are about.
        limits: the newsletter's limits.
    """
    if not send_ids:
        return ()
    tripped = sa.exists().where(
        setting.c.key == sa.literal(_KEY_PREFIX).concat(sa.cast(send.c.id, sa.Text))
    )
    running = sa.select(send.c.id, send.c.issue).where(
        column_in(connection, send.c.id, send_ids), send.c.state == "running", ~tripped
    )
    paused = []
    for send_id, issue in connection.execute(running).all():
        if reason := describe_harm(_count_first_events(connection, send_id), limits):
            stop_send_in_transaction(connection, send_id, "paused", reason)
            write_setting(connection, f"{_KEY_PREFIX}{send_id}", reason)
            paused.append(issue)
    return tuple(paused)


def describe_harm(counts: Mapping[str, int], limits: Limits) -> str:
    """Return which limit the counts pass, in a sentence; ``""`` if none.

    Args:
        counts: ``delivered``, ``bounce`` (without temporary ones) and ``spamreport``.
        limits: the newsletter's limits, in percent; 0 for no limit.
    """
    delivered, bounces, complaints = (
        counts.get(name, 0) for name in ("delivered", "bounce", "spamreport")
    )
    known = delivered + bounces
    if known < MIN_EVENTS:
        return ""
    if limits.bounce_percent and bounces * 100 > limits.bounce_percent * known:
        return (
            f"{bounces:,} of the first {known:,} emails bounced, more than "
            f"limits.bounce_percent ({limits.bounce_percent:g} %) allows"
        )
    too_many = complaints >= MIN_COMPLAINTS and (
        complaints * 100 > limits.complaint_percent * known
    )
    if limits.complaint_percent and too_many:
        return (
            f"{complaints:,} of the first {known:,} readers reported it as spam, more than "
            f"limits.complaint_percent ({limits.complaint_percent:g} %) allows"
        )
    return ""


def _count_first_events(connection: sa.Connection, send_id: int) -> Counter[str]:
    """Return type -> how many recipients, among the first events; empty if there are more."""
    is_temporary = sa.and_(
        event.c.type == "bounce",
        sa.func.coalesce(event.c.raw["type"].as_string(), "") == "blocked",
    )
    first = (
        sa.select(event.c.type, event.c.address_key)
        .where(
            event.c.send_id == send_id,
            event.c.type.in_(("delivered", "bounce", "spamreport")),
            ~is_temporary,
        )
        .limit(MAX_EVENTS + 1)
    )
    rows = connection.execute(first).all()
    if len(rows) > MAX_EVENTS:
        return Counter()
    # A recipient counts once, however often the same is reported.
    return Counter(type_ for type_, _ in {tuple(row) for row in rows})
