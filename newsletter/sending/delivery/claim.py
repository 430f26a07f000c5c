"""Claim batches, renew leases, mark batches in flight.

Several batches at a time; recipients who have unsubscribed since the freeze are taken out here.

Each write checks that its rows are still in the state in which this sender left them
(compare-and-set with a fence); if not, another sender owns them, and this one stops.
``newsletter.sending.delivery.record_results`` records the outcomes.
"""

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from newsletter.db.identity import advance_high_water, save_high_water
from newsletter.db.schema import attempt, batch, send, send_recipient
from newsletter.errors import SendRefusedError
from newsletter.sending.delivery.hourly_limit import consume_hourly_limit
from newsletter.sending.ledger.provider_pause import provider_paused_condition
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.subscribers import Recipient, select_still_mailable, split_mailable

UNSUBSCRIBED_SINCE_REASON = "unsubscribed, paused or changed address after the send began"


@dataclass(frozen=True, slots=True)
class ClaimedBatch:
    """A batch that this sender has claimed.

    Attributes:
        id: in the ledger.
        send_id: the id of its send.
        number: 1 for the send's first batch.
        failed_attempts: how many failed attempts count against its limit.
        attempt_number: the number of its next attempt.
        fence: grows with every claim; a sender with an old fence has lost the batch.
    """

    id: int
    send_id: int
    number: int
    failed_attempts: int
    attempt_number: int
    fence: int


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A claimed batch with its request body, before it is marked in flight.

    Attributes:
        batch: the claimed batch.
        body: the request body; empty if no recipient remains.
        recipient_ids: subscriber ids of its recipients, in the order of its personalizations.
        unsubscribed_since: ids of recipients who have unsubscribed since the freeze.
        rejected_recipients: id -> why no request can hold that recipient.
        body_hash: the hash of the body, if it is being computed already.
    """

    batch: ClaimedBatch
    body: bytes
    recipient_ids: tuple[int, ...] = ()
    unsubscribed_since: Sequence[int] = ()
    rejected_recipients: Mapping[int, str] = field(default_factory=dict)
    body_hash: Future[str] | None = None


# Built once: building a statement takes longer than executing it.
_is_due = sa.and_(
    sa.or_(batch.c.retry_at.is_(None), batch.c.retry_at <= sa.bindparam("now")),
    sa.or_(batch.c.available_at.is_(None), batch.c.available_at <= sa.bindparam("now")),
)


def _make_claim(*order: sa.ColumnElement[Any]) -> sa.UpdateBase:
    """Return the statement that claims the next ready batches, in an order."""
    ready_batches = (
        sa.select(batch.c.id)
        .where(
            batch.c.send_id == sa.bindparam("b_send"),
            batch.c.state == "ready",
            _is_due,
            sa.exists().where(send.c.id == sa.bindparam("b_send"), send.c.state == "running"),
            ~provider_paused_condition(sa.bindparam("now")),
        )
        .order_by(*order)
        .limit(sa.bindparam("limit"))
        .with_for_update(skip_locked=True)
        # A CTE is evaluated once; a subquery might be evaluated again for each row, and lock other
        # rows each time.
        .cte()
    )
    return (
        sa.update(batch)
        .where(batch.c.id.in_(sa.select(ready_batches.c.id)), batch.c.state == "ready")
        .values(state="claimed", fence=batch.c.fence + 1, lease_until=sa.bindparam("lease_until"))
        .returning(batch.c.id, batch.c.number, batch.c.attempts, batch.c.fence, batch.c.size)
    )


_CLAIM_BATCHES = _make_claim(batch.c.id)
# It sorts all ready batches.
_CLAIM_SMALLEST_BATCHES = _make_claim(batch.c.size, batch.c.id)
_LAST_ATTEMPTS = (
    sa.select(attempt.c.batch_id, sa.func.max(attempt.c.number))
    .where(attempt.c.batch_id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(attempt.c.batch_id)
)
_MAY_SEND = (
    # The lock keeps the send from being stopped before this transaction is committed.
    sa.select(~provider_paused_condition(sa.bindparam("now")))
    .where(send.c.id == sa.bindparam("b_send"), send.c.state == "running")
    .with_for_update(read=True)
)
_frozen_recipients = (
    sa.select(send_recipient.c.subscriber_id, send_recipient.c.address_key)
    .where(send_recipient.c.batch_id == sa.bindparam("batch"), send_recipient.c.state == "pending")
    .subquery()
)
_MAILABLE_RECIPIENTS = select_still_mailable(_frozen_recipients)
# Without ORDER BY: the index returns the rows in order, and sorting takes a third more time.
_mailable_rows = _MAILABLE_RECIPIENTS.order_by(None).subquery()
# A whole batch as one row: SQLite returns it in one step, without the GIL, so that the threads that
# POST can run; otherwise its driver releases and reacquires the GIL, and waits for them, with every
# row. One array per column, which is less to encode.
_MAILABLE_RECIPIENTS_JSON = sa.select(
    *(sa.func.json_group_array(column) for column in _mailable_rows.c)
)
_IS_OWNED = sa.and_(
    batch.c.id == sa.bindparam("b_id"),
    batch.c.fence == sa.bindparam("b_fence"),
    batch.c.state == sa.bindparam("b_expected"),
)
_UPDATE_BATCH = sa.update(batch).where(_IS_OWNED)
_END_UNSENT_ATTEMPT = (
    sa.update(attempt)
    .where(
        attempt.c.batch_id == sa.bindparam("b_id"),
        attempt.c.number == sa.bindparam("b_attempt"),
        attempt.c.ended_at.is_(None),
        sa.exists().where(
            batch.c.id == sa.bindparam("b_id"),
            batch.c.fence == sa.bindparam("b_fence"),
            batch.c.state == "in_flight",
        ),
    )
    .values(outcome="not_sent")
)
_UPDATE_RECIPIENT = (
    sa.update(send_recipient)
    .where(
        send_recipient.c.send_id == sa.bindparam("r_send"),
        send_recipient.c.subscriber_id == sa.bindparam("r_subscriber"),
        send_recipient.c.batch_id == sa.bindparam("r_batch"),
        send_recipient.c.state == "pending",
    )
    .values(state=sa.bindparam("r_state"), error=sa.bindparam("r_error"))
)


def claim_batches(
    ledger: Ledger, send_record: Send, limit: int = 1, *, smallest_first: bool = False
) -> list[ClaimedBatch]:
    """Claim the next ready batches of a running send; no other sender gets them.

    Args:
        ledger: the ledger.
        send_record: the send.
        limit: how many at most.
        smallest_first: whether to take the smallest first: the halves of a refused batch, so that
            its cause is found after a few requests.
    """
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        values = {
            "b_send": send_record.id,
            "now": now,
            "limit": limit,
            "lease_until": now + ledger.lease,
        }
        claim = _CLAIM_SMALLEST_BATCHES if smallest_first else _CLAIM_BATCHES
        rows = connection.execute(claim, values).all()
        rows = _apply_hourly_limit(connection, send_record, sorted(rows), now)
        ids = [row.id for row in rows]
        last_attempts: dict[int, int] = (
            dict(connection.execute(_LAST_ATTEMPTS, {"ids": ids}).all()) if ids else {}
        )
    return [
        ClaimedBatch(
            id=row.id,
            send_id=send_record.id,
            number=row.number,
            failed_attempts=row.attempts,
            attempt_number=last_attempts.get(row.id, 0) + 1,
            fence=row.fence,
        )
        for row in rows
    ]


def load_recipients(
    connection: sa.Connection,
    claimed_batch: ClaimedBatch,
    unsubscribed_since: list[int],
    now: datetime.datetime,
) -> list[Recipient]:
    """Return the recipients of a batch who may still be mailed, in the list's order.

    Args:
        connection: in a transaction.
        claimed_batch: the batch.
        unsubscribed_since: a list to which the ids of the others are added: they have unsubscribed,
            paused, or changed address.
        now: the time against which subscribers' pauses are compared.
    """
    values = {"batch": claimed_batch.id, "moment": now}
    if connection.dialect.name == "sqlite":
        columns = map(orjson.loads, connection.execute(_MAILABLE_RECIPIENTS_JSON, values).one())
        return split_mailable([*zip(*columns, strict=True)], unsubscribed_since)
    return split_mailable(
        connection.execute(_MAILABLE_RECIPIENTS, values).all(), unsubscribed_since
    )


def hash_body(body: bytes) -> str:
    """Return the SHA-256 of a request body, in hexadecimal, for the ledger."""
    return hashlib.sha256(body).hexdigest()


def mark_in_flight(
    ledger: Ledger, prepared_batches: Sequence[PreparedBatch]
) -> list[PreparedBatch] | None:
    """Commit that the requests of these batches are in flight.

    No byte of a request may be sent before this returns.

    Returns:
        The batches to send; a batch without a body is dropped. ``None`` if the send was stopped
        meanwhile, or SendGrid has asked for a pause: then all of them are ready again.

    Raises:
        SendRefusedError: another sender has taken over a batch.
    """
    body_hashes = [
        prepared.body_hash.result() if prepared.body_hash else hash_body(prepared.body)
        for prepared in prepared_batches
    ]
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        send_id = prepared_batches[0].batch.send_id
        if not connection.scalar(_MAY_SEND, {"b_send": send_id, "now": now}):
            claimed = [prepared.batch for prepared in prepared_batches]
            _update_batches(connection, claimed, "claimed", state="ready", lease_until=None)
            return None
        for prepared in prepared_batches:
            update_recipients(
                connection,
                prepared.batch,
                "skipped_late",
                dict.fromkeys(prepared.unsubscribed_since, UNSUBSCRIBED_SINCE_REASON),
            )
            update_recipients(connection, prepared.batch, "rejected", prepared.rejected_recipients)
        to_send = [prepared for prepared in prepared_batches if prepared.body]
        empty = [prepared.batch for prepared in prepared_batches if not prepared.body]
        updated = _update_batches(
            connection,
            [prepared.batch for prepared in to_send],
            "claimed",
            state="in_flight",
            lease_until=now + ledger.lease,
        )
        updated += _update_batches(connection, empty, "claimed", state="dropped", lease_until=None)
        require_owned(updated, len(prepared_batches), prepared_batches[0].batch)
        attempts = [
            {
                "batch_id": prepared.batch.id,
                "number": prepared.batch.attempt_number,
                "body_sha": body_hash,
                "started_at": now,
            }
            for prepared, body_hash in zip(prepared_batches, body_hashes, strict=True)
            if prepared.body
        ]
        if attempts:
            connection.execute(sa.insert(attempt), attempts)
        high_water = advance_high_water(connection) if attempts else None
    save_high_water(ledger.engine, high_water)
    return to_send


def release_unsent(ledger: Ledger, claimed_batches: Sequence[ClaimedBatch]) -> None:
    """Make batches ready again of which no byte was sent, whether marked in flight or not.

    Those that another sender has taken over meanwhile are left alone.
    """
    with ledger.engine.begin() as connection:
        values = [
            {"b_id": item.id, "b_fence": item.fence, "b_attempt": item.attempt_number}
            for item in claimed_batches
        ]
        connection.execute(_END_UNSENT_ATTEMPT.values(ended_at=ledger.clock(connection)), values)
        for state in ("claimed", "in_flight"):
            _update_batches(connection, claimed_batches, state, state="ready", lease_until=None)


def renew_leases(ledger: Ledger, claimed_batches: Sequence[ClaimedBatch]) -> None:
    """Renew the leases of batches in flight, so that no other sender takes them over."""
    with ledger.engine.begin() as connection:
        lease_until = ledger.clock(connection) + ledger.lease
        _update_batches(connection, claimed_batches, "in_flight", lease_until=lease_until)


def update_recipients(
    connection: sa.Connection, claimed_batch: ClaimedBatch, state: str, reasons: Mapping[int, str]
) -> None:
    """Set the state of single pending recipients of a batch.

    Args:
        connection: in a transaction.
        claimed_batch: the batch.
        state: their new state.
        reasons: subscriber id -> why.

    Raises:
        SendRefusedError: another sender has taken over the batch.
    """
    rows = [
        {
            "r_send": claimed_batch.send_id,
            "r_subscriber": subscriber_id,
            "r_batch": claimed_batch.id,
            "r_state": state,
            "r_error": reason,
        }
        for subscriber_id, reason in reasons.items()
    ]
    if rows:
        require_owned(
            connection.execute(_UPDATE_RECIPIENT, rows).rowcount, len(rows), claimed_batch
        )


def require_owned(row_count: int, expected: int, claimed_batch: ClaimedBatch) -> None:
    """Reject a write that did not update every row: some are no longer as this sender left them.

    Raises:
        SendRefusedError: another sender has taken over the batch.
    """
    if row_count != expected:
        raise SendRefusedError(
            f"batch {claimed_batch.number} was taken over by another sender",
            remedy="Another sender runs, or the send was stopped. Run newsletter send again.",
        )


def _apply_hourly_limit(
    connection: sa.Connection,
    send_record: Send,
    claimed_rows: Sequence[sa.Row[tuple[int, int, int, int, int]]],
    now: datetime.datetime,
) -> list[sa.Row[tuple[int, int, int, int, int]]]:
    """Return the claimed batches that may be sent in this hour; release the others."""
    for index, row in enumerate(claimed_rows if send_record.limit_per_hour else ()):
        if available_at := consume_hourly_limit(connection, send_record, row.size, now):
            excess_ids = [excess.id for excess in claimed_rows[index:]]
            connection.execute(
                sa.update(batch)
                .where(batch.c.id.in_(excess_ids))
                .values(state="ready", lease_until=None, available_at=available_at)
            )
            return list(claimed_rows[:index])
    return list(claimed_rows)


def _update_batches(
    connection: sa.Connection,
    claimed_batches: Sequence[ClaimedBatch],
    expected_state: str,
    **values: str | datetime.datetime | None,
) -> int:
    """Update batches in the expected state that this sender owns; return how many were updated."""
    rows = [
        {"b_id": claimed.id, "b_fence": claimed.fence, "b_expected": expected_state}
        for claimed in claimed_batches
    ]
    return connection.execute(_UPDATE_BATCH.values(**values), rows).rowcount if rows else 0
