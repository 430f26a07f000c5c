"""Record what the provider has said about a recall, and what disproves it.

A send of which nobody has anything is set aside under another name, so that its issue can be
planned again.
"""

from collections.abc import Collection, Sequence

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import column_in
from newsletter.db.schema import attempt, batch, send, send_recipient
from newsletter.sending.ledger.record import Ledger, Send, changed_meanwhile_error, get_send
from newsletter.sending.ledger.send_phase import DISPROVED_REASON, was_recalled
from newsletter.sending.providers.registry import get_facts
from newsletter.subscribers.send_names import (
    RECALLED_MARK,
    get_original_issue,
    is_set_aside_name,
    make_recalled_name,
)
from newsletter.subscribers.tracking_record import delete_tracking

_REPLACED_REASON = (
    "{provider} delivered the earlier send of this issue, although it had confirmed its "
    "cancellation"
)


def count_live_requests(ledger: Ledger, send_record: Send) -> int:
    """Return how many recipients are in requests that a sender may be making now.

    Once a send is cancelled, no sender starts another one.
    """
    with read_transaction(ledger.engine) as connection:
        live = sa.select(sa.func.coalesce(sa.func.sum(batch.c.size), 0)).where(
            batch.c.send_id == send_record.id,
            batch.c.state == "in_flight",
            batch.c.lease_until > ledger.clock(connection),
        )
        return int(connection.scalar(live) or 0)


def record_recall(ledger: Ledger, send_record: Send) -> Send:
    """Record that the provider has confirmed the cancellation now; return the send.

    After a clock that was set back, the time is never before that of the last request. An earlier
    confirmation stays: of two commands at the same time, the second may come too late.

    Raises:
        SendRefusedError: another command has recalled it meanwhile and planned its issue again.
    """
    last_request = sa.select(sa.func.max(attempt.c.started_at)).where(
        attempt.c.batch_id.in_(sa.select(batch.c.id).where(batch.c.send_id == send_record.id))
    )
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        latest = max(now, connection.scalar(last_request) or now)
        connection.execute(
            sa.update(send)
            .where(
                send.c.id == send_record.id,
                send.c.state == "cancelled",
                send.c.recalled_at.is_(None),
            )
            .values(recalled_at=latest)
        )
    current = get_send(ledger, send_record.issue)
    if current is None or current.id != send_record.id:
        raise changed_meanwhile_error(send_record)
    return current


def record_unconfirmed_recall(ledger: Ledger, send_record: Send, reason: str) -> None:
    """Record why it is not certain that a cancelled send is cancelled at the provider."""
    with ledger.engine.begin() as connection:
        connection.execute(
            sa.update(send)
            .where(send.c.id == send_record.id, send.c.state == "cancelled")
            .values(reason=reason)
        )


def withdraw_disproved_recalls(
    connection: sa.Connection, send_ids: Collection[int]
) -> Sequence[str]:
    """Forget the recall of sends that the provider has delivered all the same; return their names.

    Args:
        connection: the transaction in which the events were recorded.
        send_ids: the sends of which an email has reached a reader's server.
    """
    if not send_ids:
        return ()
    return connection.scalars(
        sa.update(send)
        .where(column_in(connection, send.c.id, send_ids), send.c.recalled_at.is_not(None))
        .values(recalled_at=None, reason=f"{get_facts().name} {DISPROVED_REASON}")
        .returning(send.c.issue)
    ).all()


def pause_replacing_sends(connection: sa.Connection, names: Collection[str]) -> Sequence[str]:
    """Pause the sends that have replaced recalled ones which were delivered all the same.

    Args:
        connection: the transaction in which the recalls were withdrawn.
        names: from ``withdraw_disproved_recalls``.

    Returns:
        The issues of the paused sends; the editor decides about them.
    """
    replaced = {get_original_issue(name) for name in names if is_set_aside_name(name)}
    if not replaced:
        return ()
    root_ids = connection.scalars(sa.select(send.c.id).where(send.c.issue.in_(replaced))).all()
    is_replacement = sa.or_(send.c.id.in_(root_ids), send.c.parent_id.in_(root_ids))
    return connection.scalars(
        sa.update(send)
        .where(is_replacement, send.c.state.in_(("frozen", "running")))
        .values(state="paused", reason=_REPLACED_REASON.format(provider=get_facts().name))
        .returning(send.c.issue)
    ).all()


def set_recalled_send_aside(connection: sa.Connection, send_record: Send) -> None:
    """Rename a recalled send, so that its issue can be planned again.

    Args:
        connection: in a write transaction.
        send_record: the send, as it was when the editor confirmed.

    Raises:
        SendRefusedError: it is not recalled, or not any longer.
    """
    prefix = send_record.issue + RECALLED_MARK
    earlier = sa.select(sa.func.count()).where(send.c.issue.startswith(prefix, autoescape=True))
    name = make_recalled_name(send_record.issue, (connection.scalar(earlier) or 0) + 1)
    renamed = connection.execute(
        sa.update(send)
        .where(
            send.c.id == send_record.id,
            send.c.issue == send_record.issue,
            send.c.state == "cancelled",
            send.c.recalled_at == send_record.recalled_at,
        )
        .values(issue=name, parent_id=None)
    )
    if not was_recalled(send_record) or renamed.rowcount != 1:
        raise changed_meanwhile_error(send_record)
    if send_record.parent_id is not None:  # nobody has it: its readers may be caught up
        connection.execute(
            sa.update(send_recipient)
            .where(send_recipient.c.send_id == send_record.id)
            .values(root_id=send_record.id)
        )
    delete_tracking(connection, send_record.issue)
