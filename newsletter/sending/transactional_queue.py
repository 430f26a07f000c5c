"""Queue of transactional emails: enqueue, claim, record outcomes.

Through the same provider and with the same care as an issue.

A notice is owed once, claimed by one process, and leaves at most once unless it surely has not
left. One that may have left is never sent again: its reader can ask again in the next window.
"""

import datetime
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from newsletter.config.models import Config, TrackingOptions
from newsletter.db import read_transaction
from newsletter.db.schema import transactional_email
from newsletter.render.email import Email
from newsletter.sending.ledger.provider_pause import pause_provider, provider_paused_condition
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.providers.sendgrid.message_body import encode_request_head
from newsletter.sending.retry_policy import BACKOFF_MAX_SECONDS, backoff_seconds
from newsletter.subscribers.address import ParsedAddress

# A sender that has not said what came of a letter for so long is dead.
LEASE_DURATION = datetime.timedelta(minutes=10)
# Who asked yesterday has forgotten it.
MAX_AGE = datetime.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QueuedEmail:
    """A letter that this process has claimed.

    Attributes:
        id: in the table.
        kind: one of ``newsletter.db.schema.NOTICE_KINDS``.
        address: whose.
        data: what the letter's writer needs.
        attempts: with this one; whoever has claimed it later has a higher number.
        created_at: when it was promised.
    """

    id: int
    kind: str
    address: ParsedAddress
    data: Mapping[str, Any]
    attempts: int
    created_at: datetime.datetime


def enqueue_email(  # noqa: PLR0913, PLR0917 - the parts of a promise
    connection: sa.Connection,
    kind: str,
    address: ParsedAddress,
    data: Mapping[str, Any],
    now: datetime.datetime,
    window: datetime.timedelta | None,
    *,
    allowed: bool = True,
) -> bool:
    """Promise a letter, unless one of its kind went, or is to go, to the address in the window.

    Runs the same statements whatever comes of it.

    Args:
        connection: in a transaction that writes.
        kind: one of ``newsletter.db.schema.NOTICE_KINDS``.
        address: whose.
        data: what the letter's writer needs; JSON.
        now: aware.
        window: at most one letter in any such span, wherever it begins; ``None`` for ever.
        allowed: if not, nothing is promised.

    Returns:
        Whether it was promised now.
    """
    if connection.dialect.name == "postgresql":
        # Else two at once wouldn't see each other's.
        turn = sa.func.hashtextextended(f"{kind} {address.key}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(turn)))
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = {
        "kind": kind,
        "address": address.address,
        "address_key": address.key,
        "window": _window_key(now, window),
        "state": "ready",
        "data": dict(data),
        "created_at": now,
    }
    columns = [transactional_email.c[name] for name in values]
    row = sa.select(
        *(
            sa.literal(value, column.type)
            for value, column in zip(values.values(), columns, strict=True)
        )
    ).where(sa.literal(allowed), ~_sent_within_window(kind, address.key, now, window))
    statement = insert(transactional_email).from_select(columns, row)
    # One that was dropped has reached nobody: the window is still free.
    again = statement.on_conflict_do_update(
        index_elements=["address_key", "kind", "window"],
        set_={
            "state": "ready", "address": statement.excluded.address,
            "data": statement.excluded.data, "created_at": statement.excluded.created_at,
            "retry_at": None, "started_at": None, "ended_at": None, "error": "",
        },
        where=transactional_email.c.state == "dropped",
    )  # fmt: skip
    return connection.scalar(again.returning(transactional_email.c.id)) is not None


def has_due_emails(engine: sa.Engine, now: datetime.datetime) -> bool:
    """Whether there may be something to claim; makes nobody wait."""
    with read_transaction(engine) as connection:
        waiting = sa.select(transactional_email.c.id).where(*_due_conditions).limit(1)
        return connection.scalar(waiting, {"now": now}) is not None


def claim_email(
    engine: sa.Engine,
    now: datetime.datetime,
    is_wanted: Callable[[sa.Connection, QueuedEmail], bool],
) -> QueuedEmail | None:
    """Take the next letter that is due, and say, for good, that it leaves.

    Args:
        engine: the database.
        now: aware.
        is_wanted: whether it is still to be sent, in the same transaction; if not, it is dropped
            and the next one is looked at.

    Returns:
        The letter; ``None`` if nothing is due, or SendGrid has asked for a pause.
    """
    while True:
        with engine.begin() as connection:
            row = connection.execute(_SELECT_DUE, {"now": now}).one_or_none()
            if row is None:
                return None
            taken = QueuedEmail(
                row.id, row.kind, ParsedAddress(row.address, row.address_key), row.data,
                row.attempts + 1, row.created_at,
            )  # fmt: skip
            wanted = is_wanted(connection, taken)
            state = {"state": "in_flight", "started_at": now, "attempts": taken.attempts}
            dropped = {"state": "dropped", "ended_at": now}
            connection.execute(
                sa.update(transactional_email)
                .where(transactional_email.c.id == taken.id)
                .values(state if wanted else dropped)
            )
        if wanted:
            return taken


def build_transactional_body(
    email: Email,
    config: Config,
    queued_email: QueuedEmail,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """The request's JSON; never tracked, and outside of any unsubscribe group.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        queued_email: whose.
        headers: the reader's own.
    """
    options = config.sendgrid.model_copy(update={"asm_group": None})
    quiet = config.model_copy(update={"tracking": TrackingOptions(), "sendgrid": options})
    local, domain = (
        queued_email.address.address.rpartition("@")[0],
        queued_email.address.key.rpartition("@")[2],
    )
    personalization: dict[str, Any] = {
        "to": [{"email": f"{local}@{domain}"}],
        "custom_args": {"nl_notice": str(queued_email.id)},
    }
    if headers:
        personalization["headers"] = dict(headers)
    return encode_request_head(email, quiet) + orjson.dumps([personalization]) + b"}"


def record_email_outcome(
    engine: sa.Engine, queued_email: QueuedEmail, outcome: Outcome, now: datetime.datetime
) -> None:
    """Write down what came of a letter; nothing if it is another process's by now."""
    values: dict[str, Any] = {"ended_at": now, "retry_at": None, "error": outcome.message}
    match outcome.kind:
        case "accepted" | "rejected" | "unknown":
            values["state"] = outcome.kind
        case _:
            values |= {
                "state": "ready",
                "ended_at": None,
                "retry_at": _next_retry_at(queued_email, outcome, now),
            }
    with engine.begin() as connection:
        if outcome.kind == "throttled" and outcome.retry_at:
            pause_provider(connection, outcome.retry_at)
        connection.execute(
            sa.update(transactional_email)
            .where(
                transactional_email.c.id == queued_email.id,
                transactional_email.c.state == "in_flight",
                transactional_email.c.attempts == queued_email.attempts,
            )
            .values(values)
        )


def purge_queue(engine: sa.Engine, now: datetime.datetime, retention: datetime.timedelta) -> None:
    """Settle what dead senders left, give up what is stale, forget addresses after a time.

    Args:
        engine: the database.
        now: aware.
        retention: how long a letter is of any use. A welcome is kept, since it is sent once.
    """
    lost = (
        transactional_email.c.state == "in_flight",
        transactional_email.c.started_at < now - LEASE_DURATION,
    )
    stale = (
        transactional_email.c.state == "ready",
        transactional_email.c.created_at < now - MAX_AGE,
    )
    old = (
        transactional_email.c.state != "in_flight",
        transactional_email.c.created_at < now - retention,
    )
    with engine.begin() as connection:
        connection.execute(
            sa.update(transactional_email)
            .where(*lost)
            .values(state="unknown", ended_at=now, error="its sender was stopped on the way")
        )
        connection.execute(
            sa.update(transactional_email).where(*stale).values(state="dropped", ended_at=now)
        )
        connection.execute(
            sa.delete(transactional_email).where(*old, transactional_email.c.kind != "welcome")
        )


_now_param = sa.bindparam("now", type_=transactional_email.c.created_at.type)
_due_conditions = (
    transactional_email.c.state == "ready",
    sa.or_(transactional_email.c.retry_at.is_(None), transactional_email.c.retry_at <= _now_param),
    ~provider_paused_condition(_now_param),
)
_SELECT_DUE = (
    sa.select(transactional_email)
    .where(*_due_conditions)
    .order_by(transactional_email.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
)


def _sent_within_window(
    kind: str, key: str, now: datetime.datetime, window: datetime.timedelta | None
) -> sa.ColumnElement[bool]:
    """Whether such a letter went in the window, or is still to go.

    Counted from when it last left, which retries may have made much later than the promise.
    """
    conditions = [
        transactional_email.c.kind == kind,
        transactional_email.c.address_key == key,
        transactional_email.c.state != "dropped",
    ]
    if window is not None:
        since = now - window
        recent = (
            transactional_email.c.created_at > since,
            transactional_email.c.started_at > since,
        )
        conditions.append(sa.or_(transactional_email.c.state.in_(("ready", "in_flight")), *recent))
    return sa.exists().where(*conditions)


def _window_key(now: datetime.datetime, window: datetime.timedelta | None) -> str:
    """The span of the clock that a moment is in."""
    if window is None:
        return "once"
    return f"{now.timestamp() // window.total_seconds():.0f}/{window.total_seconds():.0f}"


def _next_retry_at(
    queued_email: QueuedEmail, outcome: Outcome, now: datetime.datetime
) -> datetime.datetime:
    if outcome.retry_at:
        return outcome.retry_at
    chance = random.random()  # noqa: S311 - only spreads the tries
    seconds = (
        BACKOFF_MAX_SECONDS
        if outcome.kind == "blocked"
        else backoff_seconds(queued_email.attempts, chance)
    )
    return now + datetime.timedelta(seconds=seconds)
