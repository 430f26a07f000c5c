"""Record a send: start, stop, finish, count.

What was sent to whom, written down before and after each request.

The tables and the order of writes are explained in docs/explanation/exactly-once.md.
``newsletter.sending.delivery.claim`` has what concerns one batch.
"""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import batch, send, send_recipient
from newsletter.sending.ledger.provider_pause import select_paused_until

Clock = Callable[[sa.Connection], datetime.datetime]

# How long a sender that finds nothing to do waits for what another one holds.
POLL_INTERVAL = datetime.timedelta(seconds=1)
# The states of a batch that is not settled yet.
OPEN_BATCH_STATES = ("ready", "claimed", "in_flight")


def get_database_time(connection: sa.Connection) -> datetime.datetime:
    """The database's own time; SQLite's is this machine's."""
    if connection.dialect.name == "sqlite":
        return datetime.datetime.now(datetime.UTC)
    time: datetime.datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return time.astimezone(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The record of sends in one database.

    Attributes:
        engine: from ``newsletter.db.open_database``.
        lease: how long a claim is believed to be alive; must outlast a request.
        clock: the time that leases go by.
    """

    engine: sa.Engine
    lease: datetime.timedelta = datetime.timedelta(minutes=5)
    clock: Clock = get_database_time


@dataclass(frozen=True, slots=True)
class Send:
    """One sending of one issue, as it stands.

    Attributes:
        id: in the ledger.
        issue: the issue's name.
        state: one of ``newsletter.db.schema.SEND_STATES``.
        content_sha: of the email as it was frozen.
        frozen_at: when audience and content were fixed.
        total: how many readers.
        excluded: reason -> how many were left out.
        reason: why it stopped, if it did.
        finished_at: when nothing was open any more.
        scheduled_at: when readers get it; ``None`` for at once.
        vendor_batch_id: SendGrid's id for what it holds until then, empty if it holds nothing.
        recalled_at: when SendGrid took that back.
        undo_seconds: how long SendGrid was to hold it to be taken back, 0 if that wasn't asked.
        limit_per_hour: readers, 0 for no limit.
        plan_sha: the seal of ``newsletter.sending.planning.frozen_content``.
        app_version: of the newsletter that made the plan.
        segment: the query that its readers were selected by, ``""`` for the whole list.
        allowed: rule of ``newsletter check`` -> why the editor allows what it finds.
    """

    id: int
    issue: str
    state: str
    content_sha: str
    frozen_at: datetime.datetime
    total: int
    excluded: Mapping[str, int]
    reason: str
    finished_at: datetime.datetime | None
    scheduled_at: datetime.datetime | None
    provider_batch_id: str
    recalled_at: datetime.datetime | None
    undo_seconds: int
    limit_per_hour: int
    plan_sha: str
    app_version: str
    segment: str
    allowed: Mapping[str, str] = field(default_factory=dict)

    @property
    def slug(self) -> str:
        """The issue's name without its date: what an editor types."""
        return self.issue[11:]

    @property
    def is_scheduled_locally(self) -> bool:
        """Whether it is scheduled on this side, and nothing of it is at SendGrid."""
        return self.state == "frozen" and bool(self.scheduled_at) and not self.provider_batch_id


def get_ledger_time(ledger: Ledger) -> datetime.datetime:
    """The time that leases go by."""
    with read_transaction(ledger.engine) as connection:
        return ledger.clock(connection)


def get_send(ledger: Ledger, issue: str) -> Send | None:
    """The send of an issue, if there is one."""
    columns = [send.c[name] for name in Send.__slots__]
    with read_transaction(ledger.engine) as connection:
        row = connection.execute(sa.select(*columns).where(send.c.issue == issue)).one_or_none()
    return Send(*row) if row else None


def may_have_been_sent(ledger: Ledger, send_record: Send) -> bool:
    """Whether any reader may have the issue, or may be about to get it."""
    with read_transaction(ledger.engine) as connection:
        return bool(
            connection.scalar(sa.select(sent_condition(send_record.id, ledger.clock(connection))))
        )


def start_send(ledger: Ledger, send_record: Send) -> None:
    """Let senders claim batches; after a halt, each has its full number of tries again."""
    halted = send.c.state.in_(("frozen", "paused", "blocked"))
    with ledger.engine.begin() as connection:
        opened = connection.execute(
            sa.update(send)
            .where(send.c.id == send_record.id, halted)
            .values(state="running", reason="")
        )
        if opened.rowcount:
            connection.execute(
                sa.update(batch)
                .where(batch.c.send_id == send_record.id, batch.c.state == "ready")
                .values(attempts=0, retry_at=None)
            )


def stop_send(ledger: Ledger, send_record: Send, state: str, reason: str) -> None:
    """Stop a running send: nobody claims a batch of it any more."""
    with ledger.engine.begin() as connection:
        stop_send_in_transaction(connection, send_record.id, state, reason)


def stop_send_in_transaction(
    connection: sa.Connection, send_id: int, state: str, reason: str
) -> None:
    """``halt`` as a part of a transaction."""
    connection.execute(
        sa.update(send)
        .where(send.c.id == send_id, send.c.state == "running")
        .values(state=state, reason=reason)
    )


def finish_send(ledger: Ledger, send_record: Send) -> None:
    """Close a running send that has no open batch: ``done``, or ``needs_review``."""
    unknown = sa.exists().where(batch.c.send_id == send_record.id, batch.c.state == "unknown")
    with ledger.engine.begin() as connection:
        state = "needs_review" if connection.scalar(sa.select(unknown)) else "done"
        connection.execute(
            sa.update(send)
            .where(send.c.id == send_record.id, send.c.state == "running")
            .values(state=state, finished_at=ledger.clock(connection))
        )


def get_next_claim_time(ledger: Ledger, send_record: Send) -> datetime.datetime | None:
    """When the next open batch can be claimed or swept; ``None`` if no batch is open."""
    ready = batch.c.state == "ready"
    waits = sa.func.coalesce(batch.c.retry_at, batch.c.available_at)
    later = sa.case((batch.c.available_at > waits, batch.c.available_at), else_=waits)
    query = sa.select(
        sa.func.count(),
        sa.func.count().filter(ready, waits.is_(None)),
        sa.func.min(sa.case((ready, later), else_=batch.c.lease_until)),
        sa.func.count().filter(~ready),
        select_paused_until(),
    ).where(batch.c.send_id == send_record.id, batch.c.state.in_(OPEN_BATCH_STATES))
    with read_transaction(ledger.engine) as connection:
        still_open, at_once, soonest, held, paused = connection.execute(query).one()
        if not still_open:
            return None
        now = ledger.clock(connection)
    soonest = now if at_once or soonest is None else soonest
    if held:
        # Whoever holds it is done long before its lease, if they live.
        soonest = min(soonest, now + POLL_INTERVAL)
    return max(soonest, paused or soonest)


def count_recipients_by_state(ledger: Ledger, send_record: Send) -> dict[str, int]:
    """State -> how many readers of the send are in it; they add up to ``of.total``."""
    state = send_recipient.c.state
    query = sa.select(state, sa.func.count()).where(send_recipient.c.send_id == send_record.id)
    with read_transaction(ledger.engine) as connection:
        return dict(connection.execute(query.group_by(state)).all())


def list_unknown_batches(ledger: Ledger, send_record: Send) -> list[tuple[int, int, str]]:
    """Number, readers and reason of each batch that nobody can vouch for."""
    query = (
        sa.select(batch.c.number, batch.c.size, batch.c.error)
        .where(batch.c.send_id == send_record.id, batch.c.state == "unknown")
        .order_by(batch.c.number)
    )
    with read_transaction(ledger.engine) as connection:
        return [tuple(row) for row in connection.execute(query)]


def sent_condition(send_id: int, time: datetime.datetime) -> sa.ColumnElement[bool]:
    """``has_left`` as a part of a query."""
    about_to = sa.and_(batch.c.state == "claimed", batch.c.lease_until > time)
    out = batch.c.state.in_(("in_flight", "unknown", "accepted"))
    # A batch of which some were rejected is ready again, and none of it has left.
    return sa.exists().where(batch.c.send_id == send_id, sa.or_(about_to, out))
