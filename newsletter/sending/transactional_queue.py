"""Queue of transactional emails: enqueue, claim, record outcomes.

They go through the same provider as an issue, and are sent with the same care: an email is enqueued
once, claimed by one process, and sent again only if it was certainly not sent. One that may have
been sent is never sent again: the subscriber can request another in the next window.
"""

import datetime
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.config.models import Config
from newsletter.db import read_transaction
from newsletter.db.bulk import insert_for_upsert
from newsletter.db.schema import transactional_email
from newsletter.errors import SendRefusedError
from newsletter.render.email import Email
from newsletter.render.fallback_host import find_fallback_problems
from newsletter.sending.ledger.provider_pause import pause_provider, provider_paused_condition
from newsletter.sending.providers.provider import Outcome
from newsletter.sending.providers.registry import get_provider
from newsletter.sending.retry_policy import BACKOFF_MAX_SECONDS, backoff_seconds
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent.erasure import lock_list

# A sender that has not recorded an outcome for this long is dead.
LEASE_DURATION = datetime.timedelta(minutes=10)
# The emails by which subscribers confirm a request about their data. They have just asked for them,
# whether or not they want issues, so the provider must not drop them for those who have left.
DATA_REQUEST_KINDS = ("download", "erase")
# An email that was requested yesterday is no longer expected.
MAX_AGE = datetime.timedelta(days=1)

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


@dataclass(frozen=True, slots=True)
class QueuedEmail:
    """A transactional email that this process has claimed.

    Attributes:
        id: in the table.
        kind: one of ``newsletter.db.schema.TRANSACTIONAL_EMAIL_KINDS``.
        address: the recipient's address.
        data: what is needed to render it.
        attempts: how many attempts, with this one; a later claim has a higher number.
        created_at: when it was enqueued.
    """

    id: int
    kind: str
    address: ParsedAddress
    data: Mapping[str, Any]
    attempts: int
    created_at: datetime.datetime


def enqueue_email(  # noqa: PLR0913 - the columns of a row
    connection: sa.Connection,
    kind: str,
    address: ParsedAddress,
    data: Mapping[str, Any],
    now: datetime.datetime,
    window: datetime.timedelta | None,
    *,
    allowed: bool = True,
) -> bool:
    """Enqueue an email, unless one of its kind was sent to the address in the window, or is queued.

    The same statements are executed whatever the result, so that timing reveals nothing.

    Args:
        connection: in a transaction that writes.
        kind: one of ``newsletter.db.schema.TRANSACTIONAL_EMAIL_KINDS``.
        address: the recipient's address.
        data: what is needed to render it; JSON.
        now: aware.
        window: at most one email in any period of that length; ``None`` for at most one ever.
        allowed: if false, nothing is enqueued.

    Returns:
        Whether it was enqueued.
    """
    if connection.dialect.name == "postgresql":
        # Two concurrent transactions would not see each other's row.
        lock_key = sa.func.hashtextextended(f"{kind} {address.key}", 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock_key)))
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
    row = sa.select(*(sa.literal(values[column.name], column.type) for column in columns)).where(
        sa.literal(allowed), ~_sent_within_window(kind, address.key, now, window)
    )
    statement = insert_for_upsert(connection, transactional_email).from_select(columns, row)
    # A dropped email was not sent: it doesn't use up the window.
    upsert = statement.on_conflict_do_update(
        index_elements=["address_key", "kind", "window"],
        set_={
            "state": "ready", "address": statement.excluded.address,
            "data": statement.excluded.data, "created_at": statement.excluded.created_at,
            "retry_at": None, "started_at": None, "ended_at": None, "error": "",
        },
        where=transactional_email.c.state == "dropped",
    )  # fmt: skip
    return connection.scalar(upsert.returning(transactional_email.c.id)) is not None


def has_due_emails(engine: sa.Engine, now: datetime.datetime) -> bool:
    """Return whether there may be an email to claim; takes no lock."""
    with read_transaction(engine) as connection:
        due_ids = sa.select(transactional_email.c.id).where(*_due_conditions).limit(1)
        return connection.scalar(due_ids, {"now": now}) is not None


def claim_email(
    engine: sa.Engine,
    now: datetime.datetime,
    is_wanted: Callable[[sa.Connection, QueuedEmail], bool],
) -> QueuedEmail | None:
    """Claim the next email that is due, and commit that it is in flight.

    Args:
        engine: the database.
        now: aware.
        is_wanted: returns whether it is still to be sent, in the same transaction; if not, it is
            dropped and the next one is tried.

    Returns:
        The email; ``None`` if none is due, or the provider has asked for a pause.
    """
    while True:
        with engine.begin() as connection:
            # Before the email's row: an erasure, which deletes it, locks in this order.
            lock_list(connection)
            row = connection.execute(_SELECT_DUE, {"now": now}).one_or_none()
            if row is None:
                return None
            address = ParsedAddress(row.address, row.address_key)
            claimed = QueuedEmail(
                row.id, row.kind, address, row.data, row.attempts + 1, row.created_at
            )
            wanted = is_wanted(connection, claimed)
            in_flight = {"state": "in_flight", "started_at": now, "attempts": claimed.attempts}
            dropped = {"state": "dropped", "ended_at": now}
            connection.execute(
                sa.update(transactional_email)
                .where(transactional_email.c.id == claimed.id)
                .values(in_flight if wanted else dropped)
            )
        if wanted:
            return claimed


def build_transactional_body(
    email: Email,
    config: Config,
    queued_email: QueuedEmail,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return the body of the request, without tracking.

    Args:
        email: as rendered.
        config: the newsletter's settings.
        queued_email: its entry in the queue.
        headers: headers for this recipient.

    Raises:
        SendRefusedError: the email contains a link that leads nowhere without ``public_url``.
    """
    if problems := find_fallback_problems(email, headers):
        raise SendRefusedError.from_problems(problems)
    local = queued_email.address.address.rpartition("@")[0]
    domain = queued_email.address.key.rpartition("@")[2]
    return get_provider(config).build_transactional(
        email,
        f"{local}@{domain}",
        queue_id=queued_email.id,
        headers=headers or {},
        bypass_suppressions=queued_email.kind in DATA_REQUEST_KINDS,
    )


def record_email_outcome(
    engine: sa.Engine, queued_email: QueuedEmail, outcome: Outcome, now: datetime.datetime
) -> None:
    """Record the outcome of an email, unless another process has claimed it since."""
    is_final = outcome.kind in {"accepted", "rejected", "unknown"}
    values = {
        "state": outcome.kind if is_final else "ready",
        "ended_at": now if is_final else None,
        "retry_at": None if is_final else _next_retry_at(queued_email, outcome, now),
        "error": outcome.message,
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
    """Close the emails of dead senders, drop stale ones, delete old ones with their addresses.

    Args:
        engine: the database.
        now: aware.
        retention: how long emails are kept after the last attempt to send them. A welcome email is
            kept for good, since it is sent only once.
    """
    columns = transactional_email.c
    # A link works for as long from the time when its email was sent.
    sent_at = sa.func.coalesce(columns.started_at, columns.created_at)
    with engine.begin() as connection:
        connection.execute(
            sa.update(transactional_email)
            .where(columns.state == "in_flight", columns.started_at < now - LEASE_DURATION)
            .values(state="unknown", ended_at=now, error="the sender stopped unexpectedly")
        )
        connection.execute(
            sa.update(transactional_email)
            .where(columns.state == "ready", columns.created_at < now - MAX_AGE)
            .values(state="dropped", ended_at=now)
        )
        connection.execute(
            sa.delete(transactional_email).where(
                columns.state != "in_flight", sent_at < now - retention, columns.kind != "welcome"
            )
        )


def _sent_within_window(
    kind: str, key: str, now: datetime.datetime, window: datetime.timedelta | None
) -> sa.ColumnElement[bool]:
    """Return a condition: such an email was sent in the window, or is queued.

    The window is counted from the last attempt, which may be much later than the enqueuing.
    """
    columns = transactional_email.c
    conditions = [columns.kind == kind, columns.address_key == key, columns.state != "dropped"]
    if window is not None:
        since = now - window
        is_queued = columns.state.in_(("ready", "in_flight"))
        conditions.append(sa.or_(is_queued, columns.created_at > since, columns.started_at > since))
    return sa.exists().where(*conditions)


def _window_key(now: datetime.datetime, window: datetime.timedelta | None) -> str:
    """Return a name for the period of that length, aligned to the clock, that a time is in."""
    if window is None:
        return "once"
    return f"{now.timestamp() // window.total_seconds():.0f}/{window.total_seconds():.0f}"


def _next_retry_at(
    queued_email: QueuedEmail, outcome: Outcome, now: datetime.datetime
) -> datetime.datetime:
    if outcome.retry_at:
        return outcome.retry_at
    if outcome.kind == "blocked":
        return now + datetime.timedelta(seconds=BACKOFF_MAX_SECONDS)
    jitter = random.random()  # noqa: S311 - only spreads the attempts
    seconds = backoff_seconds(queued_email.attempts, jitter)
    return now + datetime.timedelta(seconds=seconds)
