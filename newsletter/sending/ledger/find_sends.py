"""Find a send in the ledger."""

import datetime
import logging
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.config import Config
from newsletter.db import read_transaction
from newsletter.db.schema import UtcDateTime, attempt, batch, send, send_recipient
from newsletter.errors import ProjectError
from newsletter.project.folder import find_near_issues
from newsletter.sending.ledger.copied_database import CopiedDatabase, hold_if_copied
from newsletter.sending.ledger.leases import lease_length
from newsletter.sending.ledger.provider_pause import provider_paused_condition
from newsletter.sending.ledger.record import Ledger, Send, get_send, load_sends
from newsletter.sending.ledger.send_phase import SendPhase, get_send_phase
from newsletter.sending.providers.registry import get_provider
from newsletter.subscribers.send_names import RECALLED_MARK, is_set_aside_name
from newsletter.wording import format_suggestion

MAX_LISTED = 5
TEXT_WIDTH = 79
_log = logging.getLogger(__name__)


def open_ledger(engine: sa.Engine, config: Config) -> Ledger:
    """Return the ledger of a database, with leases that outlast any request.

    The unfinished sends of a database that turns out to be a copy are held.
    """
    copied = hold_if_copied(engine, datetime.datetime.now(datetime.UTC))
    if copied:
        _log.warning("%s", _describe_copy(copied))
    return Ledger(engine, lease=lease_length(config))


def list_sends(ledger: Ledger, *, with_set_aside: bool = False) -> list[Send]:
    """Return all sends, the latest first.

    Args:
        ledger: the ledger.
        with_set_aside: whether to return also recalled sends whose issue was planned again.
    """
    with read_transaction(ledger.engine) as connection:
        sends = load_sends(connection)
    sends.sort(key=lambda found: (found.frozen_at, found.id), reverse=True)
    return [found for found in sends if with_set_aside or not is_set_aside_name(found.issue)]


class IssueSend(NamedTuple):
    """The send of an issue, without its catch-ups, and what its record means now."""

    send: Send
    phase: SendPhase


def find_sends_by_issue(ledger: Ledger) -> dict[str, IssueSend]:
    """Return issue -> its latest send, for every issue that was planned or sent."""
    with read_transaction(ledger.engine) as connection:
        now = ledger.clock(connection)
        sends = load_sends(connection, send.c.parent_id.is_(None))
    return {found.issue: IssueSend(found, get_send_phase(found, now)) for found in sends}


def count_accepted_by_send(ledger: Ledger) -> dict[int, int]:
    """Return a send's id -> how many readers it was accepted for, with those of its catch-ups."""
    root_id = send_recipient.c.root_id
    query = sa.select(root_id, sa.func.count()).where(send_recipient.c.state == "accepted")
    with read_transaction(ledger.engine) as connection:
        return dict(connection.execute(query.group_by(root_id)).all())


def find_send(ledger: Ledger, name: str | None) -> Send:
    """Return the send of an issue, even if the issue's folder no longer exists.

    Args:
        ledger: the ledger.
        name: the issue's name, a part of it that matches one send, or ``None`` for the latest. A
            recalled send whose issue was planned again is found by its own name, and so is a
            catch-up, or by a part that no issue's name has.

    Raises:
        ProjectError: no send matches, or several do.
    """
    sends = list_sends(ledger, with_set_aside=RECALLED_MARK in (name or ""))
    if not sends:
        raise ProjectError("nothing has been sent or planned yet")
    if name is None:
        return sends[0]
    issue = name.rstrip("/").rpartition("/")[2]
    exact = [candidate for candidate in sends if candidate.issue == issue]
    partial = [candidate for candidate in sends if issue.casefold() in candidate.issue.casefold()]
    firsts = [candidate for candidate in partial if candidate.parent_id is None]
    matches = exact or firsts or partial
    if len(matches) == 1:
        return matches[0]
    issues = ", ".join(candidate.issue for candidate in (matches or sends)[:MAX_LISTED])
    if matches:
        raise ProjectError(
            f"{len(matches)} sends match '{name}': {issues}",
            remedy="Give a longer part of the name.",
        )
    near = find_near_issues(issue, (candidate.issue for candidate in sends))
    remedy = format_suggestion(near) or f"There are: {issues}."
    raise ProjectError(f"no send matches '{name}'", remedy=remedy)


def iter_due_sends(ledger: Ledger) -> Iterator[Send]:
    """Yield the sends that are scheduled on this machine and due, the earliest first.

    A scheduled send that has started and whose sender has died is due too. Each send is looked up
    when its turn comes: those before it may have taken hours.
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
        due_send = get_send(ledger, issue) if issue else None
        if due_send is None:
            return
        tried.add(due_send.id)
        yield due_send


def has_due_sends(ledger: Ledger) -> bool:
    """Return whether ``iter_due_sends`` would yield a send."""
    with read_transaction(ledger.engine) as connection:
        is_due = _due_condition(ledger.clock(connection))
        return bool(connection.scalar(sa.select(sa.exists().where(is_due))))


def find_block_remedy(ledger: Ledger, send_record: Send, config: Config) -> str:
    """Return what to do about the response that has blocked a send; ``""`` if it isn't blocked."""
    if send_record.state != "blocked":
        return ""
    query = (
        sa.select(attempt.c.http_status)
        .join(batch, batch.c.id == attempt.c.batch_id)
        .where(
            batch.c.send_id == send_record.id,
            batch.c.error == send_record.reason,
            attempt.c.outcome == "rejected",
        )
        .order_by(attempt.c.ended_at.desc())
        .limit(1)
    )
    with read_transaction(ledger.engine) as connection:
        status = connection.scalar(query)
    return get_provider(config).suggest_remedy(status, send_record.reason) if status else ""


def _describe_copy(copied: CopiedDatabase) -> str:
    text = textwrap.fill(
        f"This database is a copy. It records what was sent until {copied.as_of_text}; what the "
        "original has sent since, it could send again. Nothing is sent to the list from here "
        "until you run:",
        TEXT_WIDTH,
    )
    if copied.is_failover:
        text = textwrap.fill(
            "The database has failed over to another server, which may lack the last commits: it "
            f"knows of nothing sent after {copied.as_of_text}, and could send that again. Nothing "
            "is sent to the list until you run this, with --nothing-lost if it lacks none (a "
            "planned switchover, or a synchronous standby):",
            TEXT_WIDTH,
        )
    text += "\n  newsletter db adopt"
    if copied.held_issues:
        commands = "\n".join(f"  newsletter status {issue[11:]}" for issue in copied.held_issues)
        text += f"\nWhat these have sent since then is unknown, see:\n{commands}"
    return text


def _due_condition(now: datetime.datetime) -> sa.ColumnElement[bool]:
    in_send = batch.c.send_id == send.c.id
    held = sa.exists().where(in_send, batch.c.lease_until > now)
    # A live sender claims such a batch at once, so one that stays due has no sender.
    due_batch = sa.and_(
        batch.c.state == "ready",
        sa.or_(batch.c.retry_at.is_(None), batch.c.retry_at <= now),
        sa.or_(batch.c.available_at.is_(None), batch.c.available_at <= now),
    )
    unclaimed = sa.exists().where(in_send, sa.or_(due_batch, batch.c.lease_until <= now))
    orphaned = sa.and_(
        send.c.state == "running",
        ~held,
        unclaimed,
        ~provider_paused_condition(sa.literal(now, UtcDateTime)),
    )
    return sa.and_(
        send.c.provider_batch_id == "",
        send.c.scheduled_at <= now,
        sa.or_(send.c.state == "frozen", orphaned),
    )
