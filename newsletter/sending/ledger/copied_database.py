"""Hold the unfinished sends of a copied or failed-over database.

What a copy calls ready may be in readers' inboxes already: the original may have sent it since. So
may issues of which the copy knows nothing, which were planned after it was made. Therefore nothing
is planned or sent to the list from a copy until the editor has adopted it. Emails to single
subscribers about their own subscription go on, since only this site can answer who signs up here.

A PostgreSQL server that was promoted in a failover may lack the last commits, so it is such a copy,
too, if a send was unfinished. Only the editor can know whether it lacks any: in a planned
switchover it does not, and what was held goes on.
"""

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.identity import (
    COPIED_KEY,
    FAILOVER_KEY,
    HEARTBEAT_PREFIX,
    IdentityState,
    compare_identity,
    lock_identity,
    set_identity,
)
from newsletter.db.identity_mark import load_mark
from newsletter.db.postgresql.privileges import may_insert
from newsletter.db.postgresql.timeline import SameTimeline
from newsletter.db.schema import (
    OPEN_BATCH_STATES,
    attempt,
    batch,
    journal,
    send,
    setting,
    transactional_email,
    worker,
)
from newsletter.db.stored_settings import read_setting, write_setting
from newsletter.db.transaction import lift_statement_timeout
from newsletter.errors import Problem, SendRefusedError
from newsletter.sending.ledger.held.hold_send import find_proven_sends, hold_send, release_send
from newsletter.sending.providers.registry import get_facts

_UNFINISHED_STATES = ("frozen", "running", "paused", "blocked", "needs_review")
_IS_SAME_TIMELINE = sa.select(SameTimeline())
_HAS_UNFINISHED_SEND = sa.select(
    sa.exists().where(
        send.c.state.in_(_UNFINISHED_STATES),
        batch.c.send_id == send.c.id,
        batch.c.state.in_(OPEN_BATCH_STATES),
    )
)
# Only after a failover, so on PostgreSQL. Leases go by its clock.
_HAS_LIVE_REQUEST = sa.select(
    sa.exists().where(batch.c.state == "in_flight", batch.c.lease_until > sa.func.clock_timestamp())
)
# Neither is recorded after a failover, unlike what readers do.
_SENT_COLUMNS = (send.c.frozen_at, attempt.c.started_at)
FAILOVER_REASON = "the database has failed over, and may lack what was recorded last"


@dataclass(frozen=True, slots=True)
class CopiedDatabase:
    """A database that was recognized as a copy and has not been adopted.

    Attributes:
        as_of: when the last thing was recorded in it before it was copied; ``None`` if nothing was.
        held_issues: the issues whose sends are held.
        is_failover: whether it is one because its server was promoted in a failover.
        held_at: when its sends were held.
        held_states: of a failover, how they were: send id -> state, and why it had stopped.
    """

    as_of: datetime.datetime | None
    held_issues: tuple[str, ...] = ()
    is_failover: bool = False
    held_at: datetime.datetime | None = None
    held_states: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def as_of_text(self) -> str:
        """``as_of``, for people."""
        if self.as_of is None:
            return "an unknown time"
        return f"{self.as_of.day} {self.as_of:%b %Y %H:%M} UTC"

    def as_problem(self) -> Problem:
        """Return why nothing is planned or sent to the list."""
        if self.is_failover:
            return Problem(
                "the database has failed over to another server, which may lack the last commits "
                f"(it knows of nothing sent after {self.as_of_text}): what they recorded as sent "
                "could be sent again",
                remedy="If nothing is lost (a planned switchover, or a synchronous standby), run: "
                "newsletter db adopt --nothing-lost. Otherwise run: newsletter db adopt, and "
                "decide what became of each batch.",
            )
        return Problem(
            f"this database is a copy as of {self.as_of_text}: what the original has sent since is "
            "not recorded in it, and could be sent again",
            remedy="If this is the database to send from now on, run: newsletter db adopt",
        )


def hold_if_copied(
    engine: sa.Engine, now: datetime.datetime, *, is_at_once: bool = False
) -> CopiedDatabase | None:
    """Hold the unfinished sends of a database that is a copy; return ``None`` if it is none.

    A held send's open batches become unknown: events, ``reconcile`` and ``resolve`` settle them. A
    database without an identity gets one.

    Args:
        engine: the database.
        now: the time.
        is_at_once: of a failover: whether to hold also while requests are in flight, whose sender
            can't record the responses then. Nothing is claimed meanwhile, held or not.

    Raises:
        DatabaseError: the mark beside the database can't be read; nothing is held.
    """
    # The mark first: it is written after the database, so it is never ahead of it.
    mark = load_mark(engine)
    with read_transaction(engine) as connection:
        state = compare_identity(connection, mark)
        if state == "same":
            return None
        # A role that only reads, and that of the site, hold no sends: they send none, either.
        found = _recognize(connection, state)
        if not may_insert(connection, attempt if found else setting):
            return found
        is_awaited = state == "failed_over" and not is_at_once
        if found and is_awaited and connection.scalar(_HAS_LIVE_REQUEST):
            return found
    with engine.begin() as connection:
        lift_statement_timeout(connection)
        lock_identity(connection)
        state = compare_identity(connection, load_mark(engine))
        if state == "same":  # another process has done it meanwhile
            return None
        found = _recognize(connection, state)
        copied = _hold(connection, found, now) if found else None
        if state == "failed_over":
            write_setting(connection, FAILOVER_KEY, json.dumps({"at": now.isoformat()}))
        set_identity(connection)
    return copied


def hold_after_failover(engine: sa.Engine, now: datetime.datetime) -> CopiedDatabase | None:
    """Hold the unfinished sends at once, as ``hold_if_copied``, if the database has failed over.

    Returns:
        The database if its sends are held, whether this has done it or another process before.
    """
    with read_transaction(engine) as connection:
        is_same = connection.scalar(_IS_SAME_TIMELINE)
    if not is_same:
        hold_if_copied(engine, now, is_at_once=True)
    with read_transaction(engine) as connection:
        copied = _load_copy(connection)
    return copied if copied and copied.is_failover else None


def hold_if_lost(engine: sa.Engine, send_id: int, issue: str, now: datetime.datetime) -> bool:
    """Hold the unfinished sends if a send is not recorded any more of which requests were made.

    The server that has taken over lacks all of it, and may have nothing unfinished, so that no
    other command finds anything to hold.

    Args:
        engine: the database.
        send_id: the id of the send.
        issue: its issue.
        now: the time.

    Returns:
        Whether the send is lost; never on SQLite, which has no standby.
    """
    if engine.dialect.name == "sqlite":
        return False
    is_recorded = sa.exists().where(send.c.id == send_id, send.c.issue == issue)
    with read_transaction(engine) as connection:
        if connection.scalar(sa.select(is_recorded)):
            return False
    with engine.begin() as connection:
        lift_statement_timeout(connection)
        lock_identity(connection)
        if _load_copy(connection) is None:
            as_of = _last_recorded_at(connection, _SENT_COLUMNS)
            _hold(connection, CopiedDatabase(as_of, is_failover=True), now)
        write_setting(connection, FAILOVER_KEY, json.dumps({"at": now.isoformat()}))
    return True


def find_copy(engine: sa.Engine) -> CopiedDatabase | None:
    """Return the database if it is a copy that has not been adopted; change nothing.

    Raises:
        DatabaseError: the mark beside the database can't be read.
    """
    mark = load_mark(engine)
    with read_transaction(engine) as connection:
        # If no command has recognized it yet.
        return _recognize(connection, compare_identity(connection, mark)) or _load_copy(connection)


def require_adopted(connection: sa.Connection) -> None:
    """Refuse to go on if the database was recognized as a copy and has not been adopted.

    A failover is noticed here, even if nothing has recognized it yet.

    Raises:
        SendRefusedError: it has not.
    """
    if copied := _load_copy(connection):
        raise SendRefusedError.from_problems([copied.as_problem()])
    require_same_server(connection)


def require_same_server(connection: sa.Connection) -> None:
    """Refuse to go on if the database has failed over in an unfinished send.

    Raises:
        SendRefusedError: it has, and its sends are not held yet.
    """
    if connection.scalar(_IS_SAME_TIMELINE):
        return
    if failed_over := _recognize(connection, "failed_over"):
        raise SendRefusedError.from_problems([failed_over.as_problem()])


def require_recall_allowed(connection: sa.Connection, issue: str) -> None:
    """Refuse to cancel, from a copy, what the provider holds for the original.

    The original would not learn of it: there the send goes on as scheduled, and no reader gets it.

    Raises:
        SendRefusedError: the database is a copy and has not been adopted.
    """
    copied = _load_copy(connection)
    if copied and not copied.is_failover:  # after a failover, there is no original any more
        raise SendRefusedError(
            f"{get_facts().name} may hold {issue} for the original of this database, which is a "
            f"copy as of {copied.as_of_text}; the original would not learn that it is cancelled",
            remedy="Cancel it there. If this is the database to send from now on, run: "
            "newsletter db adopt",
        )


def adopt(engine: sa.Engine, *, nothing_lost: bool = False) -> None:
    """Record the editor's decision to send from this database from now on.

    Its held sends stay held: what is unknown of them is decided send by send.

    Args:
        engine: the database.
        nothing_lost: of a failover: whether the server has all commits, so that the held sends go
            on as they were; only requests that were in flight stay unknown.

    Raises:
        SendRefusedError: events prove that commits are lost. Nothing is written then.
    """
    with engine.begin() as connection:
        lift_statement_timeout(connection)
        copied = _load_copy(connection)
        if copied and nothing_lost:
            _require_nothing_lost(connection, copied)
            for send_id, (state, reason) in copied.held_states.items():
                release_send(connection, send_id, state, reason, copied.held_at)
            connection.execute(sa.delete(setting).where(setting.c.key == FAILOVER_KEY))
        connection.execute(sa.delete(setting).where(setting.c.key == COPIED_KEY))


def _require_nothing_lost(connection: sa.Connection, copied: CopiedDatabase) -> None:
    issues = find_proven_sends(connection, copied.held_at)
    if issues:
        slugs = [issue[11:] for issue in issues]
        raise SendRefusedError(
            f"commits are lost: events prove that more of {', '.join(issues)} was sent than is "
            "recorded here",
            remedy="Run: newsletter db adopt. Then, before you send the rest: "
            + ", ".join(f"newsletter reconcile {slug}" for slug in slugs),
        )


def _recognize(connection: sa.Connection, state: IdentityState) -> CopiedDatabase | None:
    """Return the database as a copy; ``None`` if it is none, or nothing was unfinished in it."""
    if state == "different":
        # A copy of a copy: what was recorded in the first copy says nothing about the original.
        if copied := _load_copy(connection):
            # Also of a database that had failed over: that one may have been adopted since.
            return replace(copied, is_failover=False, held_at=None, held_states={})
        return CopiedDatabase(_last_recorded_at(connection))
    if state == "failed_over":
        if copied := _load_copy(connection):
            return copied
        if connection.scalar(_HAS_UNFINISHED_SEND):
            as_of = _last_recorded_at(connection, _SENT_COLUMNS)
            return CopiedDatabase(as_of, is_failover=True)
    return None


def _hold(
    connection: sa.Connection, copied: CopiedDatabase, now: datetime.datetime
) -> CopiedDatabase:
    reason = f"the database is a copy as of {copied.as_of_text}; what was sent since is not known"
    if copied.is_failover:
        reason = FAILOVER_REASON
    rows = connection.execute(
        sa.select(send.c.id, send.c.state, send.c.reason)
        .where(send.c.state.in_(_UNFINISHED_STATES))
        .order_by(send.c.id)
    ).all()
    held_at = copied.held_at or now  # the same for several failovers: they are adopted together
    for row in rows:
        hold_send(connection, row.id, reason, copied.as_of or now, held_at)
    note: dict[str, Any] = {"as_of": copied.as_of.isoformat() if copied.as_of else None}
    if copied.is_failover:
        states = {row.id: (row.state, row.reason) for row in rows} | copied.held_states
        note |= {"held_at": held_at.isoformat(), "held_states": states}
    else:
        _forget_running_programs(connection, reason, now)
    write_setting(connection, COPIED_KEY, json.dumps(note))
    held = _load_copy(connection)
    assert held is not None
    return held


def _forget_running_programs(
    connection: sa.Connection, reason: str, now: datetime.datetime
) -> None:
    """Leave to the original what is queued for single subscribers, and what starts its sends."""
    # The original has the same emails in its queue.
    connection.execute(
        sa.update(transactional_email)
        .where(transactional_email.c.state.in_(("ready", "in_flight")))
        .values(state="unknown", ended_at=now, retry_at=None, error=reason)
    )
    # What starts the original's sends does not start those of the copy, and its workers send none.
    if may_insert(connection, worker):  # the site's role may not; they don't count for long
        connection.execute(sa.delete(worker))
    connection.execute(
        sa.delete(setting).where(setting.c.key.startswith(HEARTBEAT_PREFIX, autoescape=True))
    )


def _load_copy(connection: sa.Connection) -> CopiedDatabase | None:
    value = read_setting(connection, COPIED_KEY)
    if value is None:
        return None
    note = json.loads(value)
    as_of, held_at = (_parse_time(note.get(key)) for key in ("as_of", "held_at"))
    has_unknown = sa.exists().where(batch.c.send_id == send.c.id, batch.c.state == "unknown")
    held = connection.scalars(
        sa.select(send.c.issue)
        .where(send.c.state == "needs_review", has_unknown)
        .order_by(send.c.id)
    )
    states = {
        int(send_id): (state, reason)
        for send_id, (state, reason) in note.get("held_states", {}).items()
    }
    return CopiedDatabase(
        as_of, tuple(held), is_failover=held_at is not None, held_at=held_at, held_states=states
    )


def _parse_time(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text) if text else None


def _last_recorded_at(
    connection: sa.Connection,
    columns: Sequence[sa.Column[Any]] = (
        send.c.frozen_at,
        attempt.c.started_at,
        attempt.c.ended_at,
        journal.c.at,
    ),
) -> datetime.datetime | None:
    times = [connection.scalar(sa.select(sa.func.max(column))) for column in columns]
    return max(filter(None, times), default=None)
