"""Find a send in the ledger."""

import datetime
from collections.abc import Iterator

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import UtcDateTime, batch, send
from newsletter.errors import ProjectError
from newsletter.sending.ledger.leases import lease_length
from newsletter.sending.ledger.provider_pause import provider_paused_condition
from newsletter.sending.ledger.record import Ledger, Send, get_send

MAX_LISTED = 5


def open_ledger(engine: sa.Engine, config: Config) -> Ledger:
    """The ledger in a database, with leases that outlast any request."""
    return Ledger(engine, lease=lease_length(config))


def list_sends(ledger: Ledger) -> list[Send]:
    """All sends, the latest first."""
    columns = [send.c[name] for name in Send.__slots__]
    query = sa.select(*columns).order_by(send.c.frozen_at.desc(), send.c.id.desc())
    with read_transaction(ledger.engine) as connection:
        return [Send(*row) for row in connection.execute(query)]


def find_send(ledger: Ledger, name: str | None) -> Send:
    """The send of an issue; the issue's folder need not be there any more.

    Args:
        ledger: the record.
        name: the issue's name, a part that only one send's has, or ``None`` for the latest.

    Raises:
        ProjectError: there is none, or several.
    """
    sends = list_sends(ledger)
    if not sends:
        raise ProjectError("nothing has been sent or planned yet")
    if name is None:
        return sends[0]
    wanted = name.rstrip("/").rpartition("/")[2]
    exact = [send_record for send_record in sends if send_record.issue == wanted]
    found = exact or [
        send_record for send_record in sends if wanted.casefold() in send_record.issue.casefold()
    ]
    if len(found) == 1:
        return found[0]
    some = ", ".join(send_record.issue for send_record in (found or sends)[:MAX_LISTED])
    if found:
        raise ProjectError(
            f"{len(found)} sends match '{name}': {some}", remedy="Give a longer part of the name."
        )
    raise ProjectError(f"no send matches '{name}'", remedy=f"There are: {some}.")


def iter_due_sends(ledger: Ledger) -> Iterator[Send]:
    """The sends whose time has come and that wait here for it, the earliest first.

    So are those that were begun so and whose sender has died. Each is looked up when its turn
    comes: those before it may have taken hours.
    """
    tried: set[int] = set()
    while True:
        with read_transaction(ledger.engine) as connection:
            now = ledger.clock(connection)
            issue = connection.scalar(
                sa.select(send.c.issue)
                .where(_due_condition(now), send.c.id.not_in(tried))
                .order_by(send.c.scheduled_at, send.c.id)
                .limit(1)
            )
        found = get_send(ledger, issue) if issue else None
        if found is None:
            return
        tried.add(found.id)
        yield found


def has_due_sends(ledger: Ledger) -> bool:
    """Whether ``due`` would find one."""
    with read_transaction(ledger.engine) as connection:
        waiting = _due_condition(ledger.clock(connection))
        return bool(connection.scalar(sa.select(sa.exists().where(waiting))))


def _due_condition(now: datetime.datetime) -> sa.ColumnElement[bool]:
    own_batch = batch.c.send_id == send.c.id
    held = sa.exists().where(own_batch, batch.c.lease_until > now)
    # A sender that lives takes such a batch at once.
    due_batch = sa.and_(
        batch.c.state == "ready",
        sa.or_(batch.c.retry_at.is_(None), batch.c.retry_at <= now),
        sa.or_(batch.c.available_at.is_(None), batch.c.available_at <= now),
    )
    left_behind = sa.exists().where(own_batch, sa.or_(due_batch, batch.c.lease_until <= now))
    orphaned = sa.and_(
        send.c.state == "running",
        ~held,
        left_behind,
        ~provider_paused_condition(sa.literal(now, UtcDateTime)),
    )
    return sa.and_(
        send.c.provider_batch_id == "",
        send.c.scheduled_at <= now,
        sa.or_(send.c.state == "frozen", orphaned),
    )
