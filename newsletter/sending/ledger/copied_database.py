"""Hold the unfinished sends of a database that is a copy.

What a copy calls ready may be in readers' inboxes already: the original may have sent it since. So
may issues of which the copy knows nothing, which were planned after it was made. Therefore nothing
is planned or sent to the list from a copy until the editor has adopted it. Emails to single
subscribers about their own subscription go on, since only this site can answer who signs up here.
"""

import datetime
import json
from dataclasses import dataclass

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.identity import (
    COPIED_KEY,
    HEARTBEAT_PREFIX,
    compare_identity,
    lock_identity,
    set_identity,
)
from newsletter.db.identity_mark import load_mark
from newsletter.db.postgresql.privileges import may_insert
from newsletter.db.schema import (
    OPEN_BATCH_STATES,
    attempt,
    batch,
    journal,
    send,
    send_recipient,
    setting,
    transactional_email,
)
from newsletter.db.stored_settings import read_setting, write_setting
from newsletter.errors import Problem, SendRefusedError
from newsletter.sending.providers.registry import get_facts

_UNFINISHED_STATES = ("frozen", "running", "paused", "blocked", "needs_review")


@dataclass(frozen=True, slots=True)
class CopiedDatabase:
    """A database that was recognized as a copy and has not been adopted.

    Attributes:
        as_of: when the last thing was recorded in it before it was copied; ``None`` if nothing was.
        held_issues: the issues whose sends are held.
    """

    as_of: datetime.datetime | None
    held_issues: tuple[str, ...] = ()

    @property
    def as_of_text(self) -> str:
        """``as_of``, for people."""
        if self.as_of is None:
            return "an unknown time"
        return f"{self.as_of.day} {self.as_of:%b %Y %H:%M} UTC"

    def as_problem(self) -> Problem:
        """Return why nothing is planned or sent to the list."""
        return Problem(
            f"this database is a copy as of {self.as_of_text}: what the original has sent since is "
            "not recorded in it, and could be sent again",
            remedy="If this is the database to send from now on, run: newsletter db adopt",
        )


def hold_if_copied(engine: sa.Engine, now: datetime.datetime) -> CopiedDatabase | None:
    """Hold the unfinished sends of a database that is a copy; return ``None`` if nothing was held.

    A held send's open batches become unknown: events, ``reconcile`` and ``resolve`` settle them. A
    database without an identity gets one.

    Raises:
        DatabaseError: the mark beside the database can't be read; nothing is held.
    """
    # The mark first: it is written after the database, so it is never ahead of it.
    mark = load_mark(engine)
    with read_transaction(engine) as connection:
        state = compare_identity(connection, mark)
        if state == "same":
            return None
        if not may_insert(connection, setting):  # a role that only reads holds no sends
            return _load_copy(connection) if state == "different" else None
    with engine.begin() as connection:
        lock_identity(connection)
        state = compare_identity(connection, load_mark(engine))
        if state == "same":  # another process has done it meanwhile
            return None
        copied = _hold(connection, now) if state == "different" else None
        set_identity(connection)
    return copied


def find_copy(engine: sa.Engine) -> CopiedDatabase | None:
    """Return the database if it is a copy that has not been adopted; change nothing.

    Raises:
        DatabaseError: the mark beside the database can't be read.
    """
    mark = load_mark(engine)
    with read_transaction(engine) as connection:
        if compare_identity(connection, mark) == "different":  # no command has recognized it yet
            return _load_copy(connection) or CopiedDatabase(_last_recorded_at(connection))
        return _load_copy(connection)


def require_adopted(connection: sa.Connection) -> None:
    """Refuse to go on if the database was recognized as a copy and has not been adopted.

    Raises:
        SendRefusedError: it has not.
    """
    if copied := _load_copy(connection):
        raise SendRefusedError.from_problems([copied.as_problem()])


def require_recall_allowed(connection: sa.Connection, issue: str) -> None:
    """Refuse to cancel, from a copy, what the provider holds for the original.

    The original would not learn of it: there the send goes on as scheduled, and no reader gets it.

    Raises:
        SendRefusedError: the database is a copy and has not been adopted.
    """
    if copied := _load_copy(connection):
        raise SendRefusedError(
            f"{get_facts().name} may hold {issue} for the original of this database, which is a "
            f"copy as of {copied.as_of_text}; the original would not learn that it is cancelled",
            remedy="Cancel it there. If this is the database to send from now on, run: "
            "newsletter db adopt",
        )


def adopt(engine: sa.Engine) -> None:
    """Record the editor's decision to send from this database from now on.

    Its held sends stay held: what is unknown of them is decided send by send.
    """
    with engine.begin() as connection:
        connection.execute(sa.delete(setting).where(setting.c.key == COPIED_KEY))


def _hold(connection: sa.Connection, now: datetime.datetime) -> CopiedDatabase:
    earlier = _load_copy(connection)
    # A copy of a copy: what was recorded in the first copy says nothing about the original.
    copied = CopiedDatabase(earlier.as_of if earlier else _last_recorded_at(connection))
    reason = f"the database is a copy as of {copied.as_of_text}; what was sent since is not known"
    rows = connection.execute(
        sa.select(send.c.id).where(send.c.state.in_(_UNFINISHED_STATES)).order_by(send.c.id)
    )
    for (send_id,) in rows.all():
        _hold_send(connection, send_id, reason, copied.as_of or now, now)
    # The original has the same emails in its queue.
    connection.execute(
        sa.update(transactional_email)
        .where(transactional_email.c.state.in_(("ready", "in_flight")))
        .values(state="unknown", ended_at=now, retry_at=None, error=reason)
    )
    # What starts the original's sends does not start those of the copy.
    connection.execute(
        sa.delete(setting).where(setting.c.key.startswith(HEARTBEAT_PREFIX, autoescape=True))
    )
    as_of = copied.as_of.isoformat() if copied.as_of else None
    write_setting(connection, COPIED_KEY, json.dumps({"as_of": as_of}))
    held = _load_copy(connection)
    assert held is not None
    return held


def _load_copy(connection: sa.Connection) -> CopiedDatabase | None:
    value = read_setting(connection, COPIED_KEY)
    if value is None:
        return None
    as_of = json.loads(value)["as_of"]
    has_unknown = sa.exists().where(batch.c.send_id == send.c.id, batch.c.state == "unknown")
    held = connection.scalars(
        sa.select(send.c.issue)
        .where(send.c.state == "needs_review", has_unknown)
        .order_by(send.c.id)
    )
    return CopiedDatabase(as_of and datetime.datetime.fromisoformat(as_of), tuple(held))


def _hold_send(
    connection: sa.Connection,
    send_id: int,
    reason: str,
    as_of: datetime.datetime,
    now: datetime.datetime,
) -> None:
    """Make the open batches of a send unknown, if there are any."""
    is_open = sa.and_(batch.c.send_id == send_id, batch.c.state.in_(OPEN_BATCH_STATES))
    ids = connection.scalars(sa.select(batch.c.id).where(is_open)).all()
    if not ids:
        return
    in_batches = sa.select(batch.c.id).where(is_open)
    connection.execute(
        sa.update(attempt)
        .where(attempt.c.batch_id.in_(in_batches), attempt.c.ended_at.is_(None))
        .values(ended_at=now, outcome="unknown")
    )
    last_number = (
        sa.select(sa.func.coalesce(sa.func.max(attempt.c.number), 0))
        .where(attempt.c.batch_id == batch.c.id)
        .scalar_subquery()
    )
    # The original's next attempt, so that events which name it are found.
    next_attempt = sa.select(
        batch.c.id,
        last_number + 1,
        sa.literal(""),
        sa.literal(as_of, attempt.c.started_at.type),
        sa.literal(now, attempt.c.ended_at.type),
        sa.literal("unknown"),
    ).where(batch.c.send_id == send_id, batch.c.state.in_(("ready", "claimed")))
    names = ["batch_id", "number", "body_sha", "started_at", "ended_at", "outcome"]
    connection.execute(sa.insert(attempt).from_select(names, next_attempt))
    connection.execute(
        sa.update(send_recipient)
        .where(send_recipient.c.batch_id.in_(in_batches), send_recipient.c.state == "pending")
        .values(state="unknown")
    )
    connection.execute(
        sa.update(batch)
        .where(is_open)
        .values(
            state="unknown", fence=batch.c.fence + 1, lease_until=None, retry_at=None, error=reason
        )
    )
    connection.execute(
        sa.update(send).where(send.c.id == send_id).values(state="needs_review", reason=reason)
    )


def _last_recorded_at(connection: sa.Connection) -> datetime.datetime | None:
    columns = (send.c.frozen_at, attempt.c.started_at, attempt.c.ended_at, journal.c.at)
    times = [connection.scalar(sa.select(sa.func.max(column))) for column in columns]
    return max(filter(None, times), default=None)
