"""Several batches at a time: claim them, see who still gets them, say that they leave.

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
from newsletter.sending.delivery.hourly_limit import hold_back
from newsletter.sending.ledger.provider_pause import throttled
from newsletter.sending.ledger.record import Ledger, Send
from newsletter.subscribers import Reader, readers_among, still_in_audience

LATE = "left the list, paused, or changed address, after the send began"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch that this sender has claimed.

    Attributes:
        id: in the ledger.
        send_id: of its send.
        number: 1 for the send's first.
        attempts: how many failed ones were charged to it.
        attempt: the number that its next request will have.
        fence: goes up with every claim; a sender with an old one has lost the batch.
    """

    id: int
    send_id: int
    number: int
    attempts: int
    attempt: int
    fence: int


@dataclass(frozen=True, slots=True)
class Parcel:
    """A claimed batch with all that is to be written down before it leaves.

    Attributes:
        batch: as claimed.
        body: of the request; empty if nobody is left to mail.
        readers: whose mail it is, ids in the order of its personalizations.
        late: ids of those who have left the list since the freeze.
        unfit: id -> why no request can hold that reader.
        sha: of the body, if somebody is at work on it already.
    """

    batch: Batch
    body: bytes
    readers: tuple[int, ...] = ()
    late: Sequence[int] = ()
    unfit: Mapping[int, str] = field(default_factory=dict)
    sha: Future[str] | None = None


# Made once: making a statement takes longer than running it.
_due = sa.and_(
    sa.or_(batch.c.retry_at.is_(None), batch.c.retry_at <= sa.bindparam("now")),
    sa.or_(batch.c.not_before.is_(None), batch.c.not_before <= sa.bindparam("now")),
)
_free = (
    sa.select(batch.c.id)
    .where(
        batch.c.send_id == sa.bindparam("of"),
        batch.c.state == "ready",
        _due,
        sa.exists().where(send.c.id == sa.bindparam("of"), send.c.state == "running"),
        ~throttled(sa.bindparam("now")),
    )
    .order_by(batch.c.id)
    .limit(sa.bindparam("most"))
    .with_for_update(skip_locked=True)
    # A subquery might be run again for each row, and lock others each time.
    .cte()
)
_TAKE = (
    sa.update(batch)
    .where(batch.c.id.in_(sa.select(_free.c.id)), batch.c.state == "ready")
    .values(state="claimed", fence=batch.c.fence + 1, lease_until=sa.bindparam("lease_until"))
    .returning(batch.c.id, batch.c.number, batch.c.attempts, batch.c.fence, batch.c.size)
)
_LAST = (
    sa.select(attempt.c.batch_id, sa.func.max(attempt.c.n))
    .where(attempt.c.batch_id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(attempt.c.batch_id)
)
_MAY_LEAVE = (
    # The lock lets nobody stop the send before this transaction is through.
    sa.select(~throttled(sa.bindparam("now")))
    .where(send.c.id == sa.bindparam("of"), send.c.state == "running")
    .with_for_update(read=True)
)
_frozen = (
    sa.select(send_recipient.c.subscriber_id, send_recipient.c.address_key)
    .where(send_recipient.c.batch_id == sa.bindparam("batch"), send_recipient.c.state == "pending")
    .subquery()
)
_STILL = still_in_audience(_frozen)
_rows = _STILL.order_by(None).subquery()  # its index has them in order; sorting takes a third more
# All of a batch in one step of SQLite, in which the threads that POST can go on: Python's driver
# lets them in, and waits for them, with every row. Column by column, which is less to write.
_STILL_AT_ONCE = sa.select(*(sa.func.json_group_array(column) for column in _rows.c))
_MINE = sa.and_(
    batch.c.id == sa.bindparam("b_id"),
    batch.c.fence == sa.bindparam("b_fence"),
    batch.c.state == sa.bindparam("b_before"),
)
_MOVE = sa.update(batch).where(_MINE)
_SET_ASIDE = (
    sa.update(send_recipient)
    .where(
        send_recipient.c.send_id == sa.bindparam("r_send"),
        send_recipient.c.subscriber_id == sa.bindparam("r_subscriber"),
        send_recipient.c.batch_id == sa.bindparam("r_batch"),
        send_recipient.c.state == "pending",
    )
    .values(state=sa.bindparam("r_state"), error=sa.bindparam("r_error"))
)


def claim(ledger: Ledger, of: Send, most: int = 1) -> list[Batch]:
    """Take the next batches that are ready, if the send is running; no other sender gets them."""
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        values = {"of": of.id, "now": now, "most": most, "lease_until": now + ledger.lease}
        taken = connection.execute(_TAKE, values).all()
        taken = _within_limit(connection, of, sorted(taken), now)
        ids = [row.id for row in taken]
        last: dict[int, int] = dict(connection.execute(_LAST, {"ids": ids}).all()) if ids else {}
    return [
        Batch(row.id, of.id, row.number, row.attempts, last.get(row.id, 0) + 1, row.fence)
        for row in taken
    ]


def readers_of(
    connection: sa.Connection, held: Batch, late: list[int], now: datetime.datetime
) -> list[Reader]:
    """Who in the batch is still to be mailed, in the list's order.

    Args:
        connection: in a transaction.
        held: the batch.
        late: where to put the ids of those who have left the list.
        now: the time by which pauses end.
    """
    values = {"batch": held.id, "moment": now}
    if connection.dialect.name == "sqlite":
        columns = map(orjson.loads, connection.execute(_STILL_AT_ONCE, values).one())
        return readers_among([*zip(*columns, strict=True)], late)
    return readers_among(connection.execute(_STILL, values).all(), late)


def sha_of(body: bytes) -> str:
    """What names a body in the ledger: SHA-256, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def depart(ledger: Ledger, parcels: Sequence[Parcel]) -> list[Parcel] | None:
    """Say, for good, which requests leave now. Only after this may their first bytes go.

    Returns:
        Those that leave; one without a body is closed instead. ``None`` if the send was stopped
        meanwhile, or SendGrid has asked for a pause: then all of them are put back.

    Raises:
        SendRefused: a batch is another's by now.
    """
    shas = [parcel.sha.result() if parcel.sha else sha_of(parcel.body) for parcel in parcels]
    with ledger.engine.begin() as connection:
        now = ledger.clock(connection)
        of = parcels[0].batch.send_id
        if not connection.scalar(_MAY_LEAVE, {"of": of, "now": now}):
            _move(connection, [parcel.batch for parcel in parcels], "claimed",
                  state="ready", lease_until=None)  # fmt: skip
            return None
        for parcel in parcels:
            set_aside(connection, parcel.batch, "skipped_late", dict.fromkeys(parcel.late, LATE))
            set_aside(connection, parcel.batch, "rejected", parcel.unfit)
        leaving = [parcel for parcel in parcels if parcel.body]
        empty = [parcel.batch for parcel in parcels if not parcel.body]
        moved = _move(connection, [parcel.batch for parcel in leaving], "claimed",
                      state="in_flight", lease_until=now + ledger.lease)  # fmt: skip
        moved += _move(connection, empty, "claimed", state="dropped", lease_until=None)
        must_be(moved, len(parcels), parcels[0].batch)
        attempts = [
            {
                "batch_id": parcel.batch.id,
                "n": parcel.batch.attempt,
                "body_sha": sha,
                "started": now,
            }
            for parcel, sha in zip(parcels, shas, strict=True)
            if parcel.body
        ]
        if attempts:
            connection.execute(sa.insert(attempt), attempts)
    return leaving


def renew(ledger: Ledger, held: Sequence[Batch]) -> None:
    """Say that the requests in flight are still this sender's, however long they take."""
    with ledger.engine.begin() as connection:
        lease_until = ledger.clock(connection) + ledger.lease
        _move(connection, held, "in_flight", lease_until=lease_until)


def set_aside(
    connection: sa.Connection, held: Batch, state: str, readers: Mapping[int, str]
) -> None:
    """Take single readers out of a batch: subscriber id -> why."""
    rows = [
        {
            "r_send": held.send_id, "r_subscriber": reader, "r_batch": held.id,
            "r_state": state, "r_error": why,
        }
        for reader, why in readers.items()
    ]  # fmt: skip
    if rows:
        must_be(connection.execute(_SET_ASIDE, rows).rowcount, len(rows), held)


def must_be(rows: int, expected: int, held: Batch) -> None:
    """Stop this sender if not all rows were as it had left them."""
    if rows != expected:
        raise SendRefusedError(
            f"batch {held.number} is no longer this sender's",
            remedy="Another sender has it, or the send was stopped. Run newsletter send again.",
        )


def _within_limit(
    connection: sa.Connection,
    of: Send,
    taken: Sequence[sa.Row[tuple[int, int, int, int, int]]],
    now: datetime.datetime,
) -> list[sa.Row[tuple[int, int, int, int, int]]]:
    """As many of the batches as may go in this hour; the others are put back."""
    for index, row in enumerate(taken if of.limit_per_hour else ()):
        if until := hold_back(connection, of, row.size, now):
            others = [other.id for other in taken[index:]]
            back = sa.update(batch).where(batch.c.id.in_(others))
            connection.execute(back.values(state="ready", lease_until=None, not_before=until))
            return list(taken[:index])
    return list(taken)


def _move(
    connection: sa.Connection,
    held: Sequence[Batch],
    before: str,
    **values: str | datetime.datetime | None,
) -> int:
    """Move batches that are in the state ``before`` and still this sender's; returns how many."""
    rows = [{"b_id": one.id, "b_fence": one.fence, "b_before": before} for one in held]
    return connection.execute(_MOVE.values(**values), rows).rowcount if rows else 0
