"""Why one reader gets an issue, or doesn't; reads only."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import attempt, event, send_recipient, subscriber
from newsletter.subscribers.address import Address
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import erased_among
from newsletter.subscribers.consent.journal import Line
from newsletter.subscribers.consent.suppressions import Suppressed, suppressions_of
from newsletter.subscribers.queries.past_sends import Sent
from newsletter.subscribers.segments import Segment
from newsletter.subscribers.segments.ast import All, Either, Not, Query
from newsletter.subscribers.segments.to_sql import condition

Answer = Literal["yes", "no", "maybe"]


class Term(NamedTuple):
    """A part of a query, and whether it holds of the reader.

    Attributes:
        depth: 0 for the whole query.
        text: as it could be written in a query.
        holds: of this reader.
    """

    depth: int
    text: str
    holds: bool


class Copy(NamedTuple):
    """What became of the reader's copy of an issue.

    Attributes:
        state: one of ``newsletter.db.schema.RECIPIENT_STATES``.
        error: the vendor's words, or ours.
        sent_at: when the vendor took it, if it did.
        events: what the vendor reported since: type and time, in their order.
    """

    state: str
    error: str
    sent_at: datetime.datetime | None
    events: tuple[tuple[str, datetime.datetime], ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What decides whether a reader gets an issue.

    Attributes:
        address: as typed, or as asked if they aren't in the list.
        answer: whether they get it, or have got it; ``maybe`` if nobody can know.
        status: ``""`` if they aren't in the list.
        since: the journal's line that made it the status; ``None`` if it tells none.
        erased_at: when they were erased on request.
        suppressed: their rows of the suppression list.
        paused_until: when the pause ends that they have asked for.
        terms: the segment's query, part by part; empty without a segment.
        sent: the issue's send, if there is one.
        copy: their copy of it; ``None`` if they weren't in it.
        then: their status when the send was made, ``""`` if they weren't in the list.
    """

    address: str
    answer: Answer
    status: str = ""
    since: Line | None = None
    erased_at: datetime.datetime | None = None
    suppressed: tuple[Suppressed, ...] = ()
    paused_until: datetime.datetime | None = None
    terms: tuple[Term, ...] = ()
    sent: Sent | None = None
    copy: Copy | None = None
    then: str = ""


def explain(  # noqa: PLR0913 - all of them are the question
    connection: sa.Connection,
    of: Address,
    *,
    segment: Segment | None,
    sent: Sent | None,
    now: datetime.datetime,
    zone: datetime.tzinfo,
) -> Explanation:
    """Why the reader of an address gets an issue, or doesn't.

    Args:
        connection: in a transaction.
        of: the address.
        segment: to whom alone the issue goes.
        sent: the issue's send; ``None`` if it wasn't sent.
        now: aware.
        zone: the newsletter's.
    """
    columns = (
        subscriber.c.id, subscriber.c.address, subscriber.c.status, subscriber.c.paused_until,
    )  # fmt: skip
    mine = sa.select(*columns).where(subscriber.c.address_key == of.key)
    found = connection.execute(mine).first()
    suppressed = suppressions_of(connection, of.key)
    if found is None:
        erased_at = erased_among(connection, [of.key]).get(of.key)
        return Explanation(of.address, "no", erased_at=erased_at, suppressed=suppressed, sent=sent)
    lines = journal.read(connection, found.id)
    terms = tuple(_terms(connection, found.id, segment.query, zone)) if segment else ()
    copy = _copy(connection, sent, found.id, of.key) if sent else None
    paused_until = found.paused_until if (found.paused_until or now) > now else None
    mailable = found.status == "active" and not (suppressed or paused_until)
    return Explanation(
        address=found.address,
        answer=_answer(copy, mailable=mailable) if sent else _yes(mailable and _holds(terms)),
        status=found.status,
        since=_since(lines, found.status),
        suppressed=suppressed,
        paused_until=paused_until,
        terms=terms,
        sent=sent,
        copy=copy,
        then=_then(lines, sent) if sent else "",
    )


def _yes(yes: bool) -> Answer:  # noqa: FBT001 - it is the whole of the question
    return "yes" if yes else "no"


def _holds(terms: Sequence[Term]) -> bool:
    return not terms or terms[0].holds


def _answer(copy: Copy | None, *, mailable: bool) -> Answer:
    """Whether the reader has the issue already, or will have it."""
    state = copy.state if copy else ""
    if state == "unknown":
        return "maybe"
    return _yes(state == "accepted" or (state == "pending" and mailable))


def _since(lines: Sequence[Line], status: str) -> Line | None:
    """The line before which the status was another."""
    latest = list(takewhile(lambda line: line.status == status, reversed(lines)))
    return latest[-1] if latest else None


def _then(lines: Sequence[Line], sent: Sent) -> str:
    """The status when the send was made."""
    return next((line.status for line in reversed(lines) if line.at <= sent.frozen_at), "")


def _terms(
    connection: sa.Connection, id_: int, query: Query, zone: datetime.tzinfo, depth: int = 0
) -> Iterator[Term]:
    """The query and below it its parts, each with its answer."""
    asked = sa.select(sa.true()).select_from(subscriber)
    holds = connection.scalar(asked.where(subscriber.c.id == id_, condition(query, zone)))
    yield Term(depth, str(query), bool(holds))
    below: tuple[Query, ...] = ()
    if isinstance(query, All | Either):
        below = query.parts
    elif isinstance(query, Not) and isinstance(query.part, All | Either | Not):
        below = (query.part,)
    for part in below:
        yield from _terms(connection, id_, part, zone, depth + 1)


def _copy(connection: sa.Connection, sent: Sent, id_: int, key: str) -> Copy | None:
    mine = sa.select(send_recipient).where(
        send_recipient.c.send_id == sent.id, send_recipient.c.subscriber_id == id_
    )
    row: Any = connection.execute(mine).first()
    if row is None:
        return None
    taken = sa.select(sa.func.max(attempt.c.ended)).where(
        attempt.c.batch_id == row.batch_id, attempt.c.outcome == "accepted"
    )
    reported = (
        sa.select(event.c.type, event.c.at)
        .where(event.c.address_key == key, event.c.send_id == sent.id)
        .order_by(event.c.at)
    )
    return Copy(
        state=row.state,
        error=row.error,
        sent_at=connection.scalar(taken) if row.state == "accepted" else None,
        events=tuple((type_, at) for type_, at in connection.execute(reported)),
    )
