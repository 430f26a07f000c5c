"""Claim batches, renew leases, mark batches in flight.

Several batches at a time; whoever has unsubscribed since is taken out here.

Each write finds its rows in the state that they must be in, or stops this sender: a row is then
another's. ``newsletter.sending.delivery.record_results`` writes down what came of it.
"""

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import orjson
import sqlalchemy as sa

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
        send_id: of its send.
        number: 1 for the send's first.
        failed_attempts: how many failed ones were charged to it.
        attempt_number: the number that its next request will have.
        fence: goes up with every claim; a sender with an old one has lost the batch.
    """

    id: int
    send_id: int
    number: int
    failed_attempts: int
    attempt_number: int
    fence: int


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A claimed batch with all that is to be written down before it leaves.

    Attributes:
        batch: as claimed.
        body: of the request; empty if nobody is left to mail.
        recipient_ids: whose mail it is, ids in the order of its personalizations.
        unsubscribed_since: ids of those who have left the list since the freeze.
        rejected_recipients: id -> why no request can hold that reader.
        body_hash: of the body, if somebody is at work on it already.
    """

    batch: ClaimedBatch
    body: bytes
    recipient_ids: tuple[int, ...] = ()
    unsubscribed_since: Sequence[int] = ()
    rejected_recipients: Mapping[int, str] = field(default_factory=dict)
    body_hash: Future[str] | None = None


# Made once: making a statement takes longer than running it.
_is_due = sa.and_(
    sa.or_(batch.c.retry_at.is_(None), batch.c.retry_at <= sa.bindparam("now")),
    sa.or_(batch.c.available_at.is_(None), batch.c.available_at <= sa.bindparam("now")),
)
_ready_batches = (
    sa.select(batch.c.id)
    .where(
        batch.c.send_id == sa.bindparam("of"),
        batch.c.state == "ready",
        _is_due,
        sa.exists().where(send.c.id == sa.bindparam("of"), send.c.state == "running"),
        ~provider_paused_condition(sa.bindparam("now")),
    )
    .order_by(batch.c.id)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
    # A subquery might be run again for each row, and lock others each time.
    .cte()
)
_CLAIM_BATCHES = (
    sa.update(batch)
    .where(batch.c.id.in_(sa.select(_ready_batches.c.id)), batch.c.state == "ready")
    .values(state="claimed", fence=batch.c.fence + 1, lease_until=sa.bindparam("lease_until"))
    .returning(batch.c.id, batch.c.number, batch.c.attempts, batch.c.fence, batch.c.size)
)
_LAST_ATTEMPTS = (
    sa.select(attempt.c.batch_id, sa.func.max(attempt.c.number))
    .where(attempt.c.batch_id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(attempt.c.batch_id)
)
_MAY_SEND = (
    # The lock lets nobody stop the send before this transaction is through.
    sa.select(~provider_paused_condition(sa.bindparam("now")))
    .where(send.c.id == sa.bindparam("of"), send.c.state == "running")
    .with_for_update(read=True)
)
_frozen_recipients = (
    sa.select(send_recipient.c.subscriber_id, send_recipient.c.address_key)
    .where(send_recipient.c.batch_id == sa.bindparam("batch"), send_recipient.c.state == "pending")
    .subquery()
)
_MAILABLE_RECIPIENTS = select_still_mailable(_frozen_recipients)
_mailable_rows = _MAILABLE_RECIPIENTS.order_by(
    None
).subquery()  # its index has them in order; sorting takes a third more
# All of a batch in one step of SQLite, in which the threads that POST can go on: Python's driver
# lets them in, and waits for them, with every row. Column by column, which is less to write.
_MAILABLE_RECIPIENTS_JSON = sa.select(
    *(sa.func.json_group_array(column) for column in _mailable_rows.c)
)
_IS_OWNED = sa.and_(
    batch.c.id == sa.bindparam("b_id"),
    batch.c.fence == sa.bindparam("b_fence"),
    batch.c.state == sa.bindparam("b_before"),
)
_UPDATE_BATCH = sa.update(batch).where(_IS_OWNED)
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


def claim_batches(ledger: Ledger, send_record: Send, limit: int = 1) -> list[ClaimedBatch]:
    """Take the next batches that are ready, if the send is running; no other sender gets them."""
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        values = {
            "of": send_record.id,
            "now": now,
            "most": limit,
            "lease_until": now + ledger.lease,
        }
        taken = connection.execute(_CLAIM_BATCHES, values).all()
        taken = _apply_hourly_limit(connection, send_record, sorted(taken), now)
        ids = [row.id for row in taken]
        last: dict[int, int] = (
            dict(connection.execute(_LAST_ATTEMPTS, {"ids": ids}).all()) if ids else {}
        )
    return [
        ClaimedBatch(
            row.id, send_record.id, row.number, row.attempts, last.get(row.id, 0) + 1, row.fence
        )
        for row in taken
    ]


def load_recipients(
    connection: sa.Connection,
    claimed_batch: ClaimedBatch,
    unsubscribed_since: list[int],
    now: datetime.datetime,
) -> list[Recipient]:
    """Who in the batch is still to be mailed, in the list's order.

    Args:
        connection: in a transaction.
        claimed_batch: the batch.
        unsubscribed_since: where to put the ids of those who have left the list.
        now: the time by which pauses end.
    """
    values = {"batch": claimed_batch.id, "moment": now}
    if connection.dialect.name == "sqlite":
        columns = map(orjson.loads, connection.execute(_MAILABLE_RECIPIENTS_JSON, values).one())
        return split_mailable([*zip(*columns, strict=True)], unsubscribed_since)
    return split_mailable(
        connection.execute(_MAILABLE_RECIPIENTS, values).all(), unsubscribed_since
    )


def hash_body(body: bytes) -> str:
    """What names a body in the ledger: SHA-256, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def mark_in_flight(
    ledger: Ledger, prepared_batches: Sequence[PreparedBatch]
) -> list[PreparedBatch] | None:
    """Say, for good, which requests leave now. Only after this may their first bytes go.

    Returns:
        Those to send; one without a body is closed instead. ``None`` if the send was stopped
        meanwhile, or SendGrid has asked for a pause: then all of them are put back.

    Raises:
        SendRefusedError: another sender has taken a batch over.
    """
    shas = [
        prepared.body_hash.result() if prepared.body_hash else hash_body(prepared.body)
        for prepared in prepared_batches
    ]
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        send_id = prepared_batches[0].batch.send_id
        if not connection.scalar(_MAY_SEND, {"of": send_id, "now": now}):
            batches = [prepared.batch for prepared in prepared_batches]
            _update_batches(connection, batches, "claimed", state="ready", lease_until=None)
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
        moved = _update_batches(connection, [prepared.batch for prepared in to_send], "claimed",
                      state="in_flight", lease_until=now + ledger.lease)  # fmt: skip
        moved += _update_batches(connection, empty, "claimed", state="dropped", lease_until=None)
        require_owned(moved, len(prepared_batches), prepared_batches[0].batch)
        attempts = [
            {
                "batch_id": prepared.batch.id,
                "number": prepared.batch.attempt_number,
                "body_sha": sha,
                "started_at": now,
            }
            for prepared, sha in zip(prepared_batches, shas, strict=True)
            if prepared.body
        ]
        if attempts:
            connection.execute(sa.insert(attempt), attempts)
    return to_send


def renew_leases(ledger: Ledger, claimed_batches: Sequence[ClaimedBatch]) -> None:
    """Say that the requests in flight are still this sender's, however long they take."""
    with ledger.engine.begin() as connection:
        lease_until = ledger.clock(connection) + ledger.lease
        _update_batches(connection, claimed_batches, "in_flight", lease_until=lease_until)


def update_recipients(
    connection: sa.Connection, claimed_batch: ClaimedBatch, state: str, reasons: Mapping[int, str]
) -> None:
    """Take single readers out of a batch: subscriber id -> why."""
    rows = [
        {
            "r_send": claimed_batch.send_id, "r_subscriber": reader, "r_batch": claimed_batch.id,
            "r_state": state, "r_error": why,
        }
        for reader, why in reasons.items()
    ]  # fmt: skip
    if rows:
        require_owned(
            connection.execute(_UPDATE_RECIPIENT, rows).rowcount, len(rows), claimed_batch
        )


def require_owned(row_count: int, expected: int, claimed_batch: ClaimedBatch) -> None:
    """Stop this sender if not all rows were as it had left them."""
    if row_count != expected:
        raise SendRefusedError(
            f"batch {claimed_batch.number} is no longer this sender's",
            remedy="Another sender has it, or the send was stopped. Run newsletter send again.",
        )


def _apply_hourly_limit(
    connection: sa.Connection,
    send_record: Send,
    claimed_rows: Sequence[sa.Row[tuple[int, int, int, int, int]]],
    now: datetime.datetime,
) -> list[sa.Row[tuple[int, int, int, int, int]]]:
    """As many of the batches as may go in this hour; the others are put back."""
    for index, row in enumerate(claimed_rows if send_record.limit_per_hour else ()):
        if until := consume_hourly_limit(connection, send_record, row.size, now):
            others = [other.id for other in claimed_rows[index:]]
            back = sa.update(batch).where(batch.c.id.in_(others))
            connection.execute(back.values(state="ready", lease_until=None, available_at=until))
            return list(claimed_rows[:index])
    return list(claimed_rows)


def _update_batches(
    connection: sa.Connection,
    claimed_batches: Sequence[ClaimedBatch],
    expected_state: str,
    **values: str | datetime.datetime | None,
) -> int:
    """Update batches in ``expected_state`` that are still this sender's; return how many."""
    rows = [
        {"b_id": claimed_batch.id, "b_fence": claimed_batch.fence, "b_before": expected_state}
        for claimed_batch in claimed_batches
    ]
    return connection.execute(_UPDATE_BATCH.values(**values), rows).rowcount if rows else 0
