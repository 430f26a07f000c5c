"""Record a send: start, stop, finish, count.

The tables and the order of writes are explained in docs/explanation/exactly-once.md.
``newsletter.sending.delivery`` writes what concerns one batch.
"""

import datetime
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.config.tracking import TrackingOptions
from newsletter.db import read_transaction
from newsletter.db.schema import (
    MAYBE_SENT_BATCH_STATES,
    OPEN_BATCH_STATES,
    attempt,
    batch,
    send,
    send_recipient,
)
from newsletter.errors import SendRefusedError
from newsletter.sending.ledger.copied_database import require_adopted
from newsletter.sending.providers.registry import get_facts
from newsletter.subscribers.send_names import get_original_issue
from newsletter.subscribers.topics import send_topic_column
from newsletter.subscribers.tracking_record import insert_tracking

Clock = Callable[[sa.Connection], datetime.datetime]


def get_database_time(connection: sa.Connection) -> datetime.datetime:
    """Return the time of the database server; for SQLite, of this machine."""
    if connection.dialect.name == "sqlite":
        return datetime.datetime.now(datetime.UTC)
    time: datetime.datetime = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return time.astimezone(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The record of sends in one database.

    Attributes:
        engine: from ``newsletter.db.open_database``.
        lease: how long a claim is valid without renewal; must outlast a request.
        clock: the time by which leases expire.
    """

    engine: sa.Engine
    lease: datetime.timedelta = datetime.timedelta(minutes=5)
    clock: Clock = get_database_time


@dataclass(frozen=True, slots=True)
class Send:
    """One sending of one issue, as read from the ledger.

    Attributes:
        id: in the ledger.
        issue: the issue's name.
        state: one of ``newsletter.db.schema.SEND_STATES``.
        content_sha: SHA-256 of the frozen email.
        frozen_at: when recipients and content were frozen.
        total: how many recipients.
        excluded: reason -> how many subscribers were excluded for it.
        reason: why it stopped, if it did.
        finished_at: when its last batch was completed.
        scheduled_at: when it goes out; ``None`` for at once.
        provider_batch_id: the provider's id for what it holds until then; empty if nothing.
        recalled_at: when the provider cancelled that.
        undo_seconds: length of the undo window, 0 without one.
        limit_per_hour: recipients, 0 for no limit.
        plan_sha: the plan's checksum, from ``frozen_content.compute_plan_checksum``.
        app_version: the version of the newsletter that made the plan.
        segment: the query that selected its recipients, ``""`` for the whole list.
        allowed: rule of ``newsletter check`` -> why the editor allows its findings.
        parent_id: of a catch-up, the send of the same issue that it adds to.
        topic: who has opted out of it is left out; ``""`` for an issue that everybody gets.
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
    parent_id: int | None = None
    topic: str = ""

    @property
    def slug(self) -> str:
        """The issue's name without its date: what an editor types."""
        return self.issue[11:]

    @property
    def provider_name(self) -> str:
        """The provider that it goes through, as messages name it."""
        return get_facts().name

    @property
    def send_command(self) -> str:
        """The command that plans it anew as it is now, or starts it."""
        if self.parent_id is None:
            return f"newsletter send {self.slug}"
        return f"newsletter send {get_original_issue(self.issue)[11:]} --catch-up"

    @property
    def replan_command(self) -> str:
        """The command that replaces a plan of which nothing was sent."""
        if self.parent_id is None:
            return f"newsletter plan {self.slug} --again"
        return self.send_command

    @property
    def is_scheduled_locally(self) -> bool:
        """Whether it waits for its time on this machine, and not at the provider."""
        return self.state == "frozen" and bool(self.scheduled_at) and not self.provider_batch_id

    @property
    def is_cancelled_at_provider(self) -> bool:
        """Whether it was cancelled after the provider had got some of it to hold."""
        return self.state == "cancelled" and bool(self.provider_batch_id)


def get_ledger_time(ledger: Ledger) -> datetime.datetime:
    """Return the time by which leases expire."""
    with read_transaction(ledger.engine) as connection:
        return ledger.clock(connection)


def load_sends(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> list[Send]:
    """Return the sends that meet all conditions, in the order of their ids."""
    columns = [send_topic_column() if name == "topic" else send.c[name] for name in Send.__slots__]
    query = sa.select(*columns).where(*conditions).order_by(send.c.id)
    return [Send(*row) for row in connection.execute(query)]


def get_send(ledger: Ledger, issue: str) -> Send | None:
    """Return the send of an issue, if there is one."""
    with read_transaction(ledger.engine) as connection:
        return next(iter(load_sends(connection, send.c.issue == issue)), None)


def may_have_been_sent(ledger: Ledger, send_record: Send) -> bool:
    """Return whether any recipient may have the email, or may be about to get it."""
    with read_transaction(ledger.engine) as connection:
        return bool(
            connection.scalar(sa.select(sent_condition(send_record.id, ledger.clock(connection))))
        )


STARTABLE_STATES = ("frozen", "paused", "blocked")


def start_send(
    ledger: Ledger, send_record: Send, from_states: Collection[str] = STARTABLE_STATES
) -> None:
    """Start or resume a send, so that senders can claim batches with all their attempts again.

    Args:
        ledger: the ledger.
        send_record: the send.
        from_states: a send in another state is left as it is.

    Raises:
        SendRefusedError: the database is a copy that has not been adopted; or another command has
            replaced the plan, or changed when it goes, since it was read.
    """
    with ledger.engine.begin() as connection:
        start_send_in_transaction(connection, send_record, from_states)


def start_send_in_transaction(
    connection: sa.Connection, send_record: Send, from_states: Collection[str] = STARTABLE_STATES
) -> None:
    """Start or resume a send as part of a transaction; for the rest, see ``start_send``."""
    is_stopped = sa.and_(send.c.state.in_(from_states), schedule_unchanged(send_record))
    require_adopted(connection)
    started = connection.execute(
        sa.update(send)
        .where(send.c.id == send_record.id, is_stopped)
        .values(state="running", reason="")
    )
    if started.rowcount:
        connection.execute(
            sa.update(batch)
            .where(batch.c.send_id == send_record.id, batch.c.state == "ready")
            .values(attempts=0, retry_at=None)
        )
        return
    state = connection.scalar(sa.select(send.c.state).where(send.c.id == send_record.id))
    if state is None:
        raise replaced_error(send_record)
    if state == "frozen":
        raise changed_meanwhile_error(send_record)


def schedule_unchanged(send_record: Send) -> sa.ColumnElement[bool]:
    """Return the condition that a send which has not started goes when it did as it was read.

    Otherwise two editors could move it at the same time, or a sender start what was moved away.
    """
    return sa.or_(
        send.c.state != "frozen",
        sa.and_(
            send.c.scheduled_at.is_not_distinct_from(send_record.scheduled_at),
            send.c.provider_batch_id == send_record.provider_batch_id,
        ),
    )


def changed_meanwhile_error(send_record: Send) -> SendRefusedError:
    """Return the error for a send that is no longer as it was read."""
    return SendRefusedError(
        f"{send_record.issue} was changed by another command meanwhile",
        remedy=f"See: newsletter status {send_record.slug}",
    )


def replaced_error(send_record: Send) -> SendRefusedError:
    """Return the error for a plan that another command has replaced before anything was sent."""
    return SendRefusedError(
        f"another command has planned {send_record.issue} again",
        remedy=f"Nothing of this plan was sent. See: newsletter status {send_record.slug}",
    )


def record_tracking(ledger: Ledger, send_record: Send, tracking: TrackingOptions) -> None:
    """Record which tracking a sender is about to request, if anything is left to send.

    Segments rely on it: ``not opened:`` must not select the readers of an untracked issue.
    """
    # In this order: what another sender has sent was preceded by its record.
    is_partly_sent = may_have_been_sent(ledger, send_record)
    is_open = sa.exists().where(
        batch.c.send_id == send_record.id, batch.c.state.in_(OPEN_BATCH_STATES)
    )
    with ledger.engine.begin() as connection:
        if connection.scalar(sa.select(is_open)):
            insert_tracking(connection, send_record.issue, tracking, is_partly_sent=is_partly_sent)


def stop_send(ledger: Ledger, send_record: Send, state: str, reason: str) -> None:
    """Stop a running send: no sender claims another batch of it."""
    with ledger.engine.begin() as connection:
        stop_send_in_transaction(connection, send_record.id, state, reason)


def stop_send_in_transaction(
    connection: sa.Connection, send_id: int, state: str, reason: str
) -> None:
    """Stop a running send as part of a transaction."""
    connection.execute(
        sa.update(send)
        .where(send.c.id == send_id, send.c.state == "running")
        .values(state=state, reason=reason)
    )


def finish_send(ledger: Ledger, send_record: Send) -> None:
    """Finish a running send that has no open batch: ``done``, or ``needs_review``."""
    has_unknown = sa.exists().where(batch.c.send_id == send_record.id, batch.c.state == "unknown")
    with ledger.engine.begin() as connection:
        state = "needs_review" if connection.scalar(sa.select(has_unknown)) else "done"
        connection.execute(
            sa.update(send)
            .where(send.c.id == send_record.id, send.c.state == "running")
            .values(state=state, finished_at=ledger.clock(connection))
        )


def lock_state(connection: sa.Connection, send_id: int) -> str | None:
    """Return the state of a send, which nobody changes before the end of the transaction."""
    query = sa.select(send.c.state).where(send.c.id == send_id).with_for_update(read=True)
    state: str | None = connection.scalar(query)
    return state


def count_recipients_by_state(ledger: Ledger, send_record: Send) -> dict[str, int]:
    """Return state -> how many recipients are in it; they add up to the send's total."""
    with read_transaction(ledger.engine) as connection:
        return count_states(connection, send_recipient, send_record.id)


def count_states(connection: sa.Connection, table: sa.Table, send_id: int) -> dict[str, int]:
    """Return state -> how many batches, or recipients, of a send are in it."""
    query = sa.select(table.c.state, sa.func.count()).where(table.c.send_id == send_id)
    return dict(connection.execute(query.group_by(table.c.state)).all())


def sent_condition(send_id: int, time: datetime.datetime) -> sa.ColumnElement[bool]:
    """Return the condition of ``may_have_been_sent``."""
    is_claimed = sa.and_(batch.c.state == "claimed", batch.c.lease_until > time)
    is_sent = batch.c.state.in_(MAYBE_SENT_BATCH_STATES)
    # The editor gave it up without knowing what became of it.
    is_unknown = sa.exists().where(attempt.c.batch_id == batch.c.id, attempt.c.outcome == "unknown")
    is_given_up = sa.and_(batch.c.state == "dropped", is_unknown)
    # A batch of which some recipients were rejected is ready again, and none of it was accepted.
    return sa.exists().where(batch.c.send_id == send_id, sa.or_(is_claimed, is_sent, is_given_up))
