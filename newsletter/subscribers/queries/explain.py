"""Explain why a subscriber gets an issue, or does not.

Reads only.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import attempt, event, send_recipient, subscriber
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import find_erased
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.consent.suppressions import SuppressionEntry, load_suppressions
from newsletter.subscribers.queries.past_sends import PastSend
from newsletter.subscribers.segments import Segment
from newsletter.subscribers.segments.ast import And, Not, Or, Query
from newsletter.subscribers.segments.to_sql import build_condition

DeliveryAnswer = Literal["yes", "no", "maybe"]


class EvaluatedTerm(NamedTuple):
    """A part of a query, and whether it holds of the reader.

    Attributes:
        depth: 0 for the whole query.
        text: as it could be written in a query.
        holds: of this reader.
    """

    depth: int
    text: str
    holds: bool


class DeliveryDetails(NamedTuple):
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
class DeliveryExplanation:
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
    answer: DeliveryAnswer
    status: str = ""
    since: JournalEntry | None = None
    erased_at: datetime.datetime | None = None
    suppressed: tuple[SuppressionEntry, ...] = ()
    paused_until: datetime.datetime | None = None
    terms: tuple[EvaluatedTerm, ...] = ()
    sent: PastSend | None = None
    copy: DeliveryDetails | None = None
    then: str = ""


def explain_delivery(  # noqa: PLR0913 - all of them are the question
    connection: sa.Connection,
    address: ParsedAddress,
    *,
    segment: Segment | None,
    past_send: PastSend | None,
    now: datetime.datetime,
    zone: datetime.tzinfo,
) -> DeliveryExplanation:
    """Why the reader of an address gets an issue, or doesn't.

    Args:
        connection: in a transaction.
        address: the address.
        segment: to whom alone the issue goes.
        past_send: the issue's send; ``None`` if it wasn't sent.
        now: aware.
        zone: the newsletter's.
    """
    columns = (
        subscriber.c.id, subscriber.c.address, subscriber.c.status, subscriber.c.paused_until,
    )  # fmt: skip
    mine = sa.select(*columns).where(subscriber.c.address_key == address.key)
    found = connection.execute(mine).first()
    suppressed = load_suppressions(connection, address.key)
    if found is None:
        erased_at = find_erased(connection, [address.key]).get(address.key)
        return DeliveryExplanation(
            address.address, "no", erased_at=erased_at, suppressed=suppressed, sent=past_send
        )
    lines = journal.load_journal(connection, found.id)
    terms = tuple(_evaluate_terms(connection, found.id, segment.query, zone)) if segment else ()
    copy = _load_delivery(connection, past_send, found.id, address.key) if past_send else None
    paused_until = found.paused_until if (found.paused_until or now) > now else None
    mailable = found.status == "active" and not (suppressed or paused_until)
    return DeliveryExplanation(
        address=found.address,
        answer=_answer_for_send(copy, mailable=mailable)
        if past_send
        else _to_answer(mailable and _matches_segment(terms)),
        status=found.status,
        since=_status_since(lines, found.status),
        suppressed=suppressed,
        paused_until=paused_until,
        terms=terms,
        sent=past_send,
        copy=copy,
        then=_status_at_send(lines, past_send) if past_send else "",
    )


def _to_answer(gets_issue: bool) -> DeliveryAnswer:  # noqa: FBT001 - it is the whole of the question
    return "yes" if gets_issue else "no"


def _matches_segment(terms: Sequence[EvaluatedTerm]) -> bool:
    return not terms or terms[0].holds


def _answer_for_send(copy: DeliveryDetails | None, *, mailable: bool) -> DeliveryAnswer:
    """Whether the reader has the issue already, or will have it."""
    state = copy.state if copy else ""
    if state == "unknown":
        return "maybe"
    return _to_answer(state == "accepted" or (state == "pending" and mailable))


def _status_since(lines: Sequence[JournalEntry], status: str) -> JournalEntry | None:
    """The line before which the status was another."""
    latest = list(takewhile(lambda line: line.status == status, reversed(lines)))
    return latest[-1] if latest else None


def _status_at_send(lines: Sequence[JournalEntry], past_send: PastSend) -> str:
    """The status when the send was made."""
    return next((line.status for line in reversed(lines) if line.at <= past_send.frozen_at), "")


def _evaluate_terms(
    connection: sa.Connection, id_: int, query: Query, zone: datetime.tzinfo, depth: int = 0
) -> Iterator[EvaluatedTerm]:
    """The query and below it its parts, each with its answer."""
    asked = sa.select(sa.true()).select_from(subscriber)
    holds = connection.scalar(asked.where(subscriber.c.id == id_, build_condition(query, zone)))
    yield EvaluatedTerm(depth, str(query), bool(holds))
    below: tuple[Query, ...] = ()
    if isinstance(query, And | Or):
        below = query.parts
    elif isinstance(query, Not) and isinstance(query.part, And | Or | Not):
        below = (query.part,)
    for part in below:
        yield from _evaluate_terms(connection, id_, part, zone, depth + 1)


def _load_delivery(
    connection: sa.Connection, past_send: PastSend, id_: int, key: str
) -> DeliveryDetails | None:
    mine = sa.select(send_recipient).where(
        send_recipient.c.send_id == past_send.id, send_recipient.c.subscriber_id == id_
    )
    row: Any = connection.execute(mine).first()
    if row is None:
        return None
    taken = sa.select(sa.func.max(attempt.c.ended_at)).where(
        attempt.c.batch_id == row.batch_id, attempt.c.outcome == "accepted"
    )
    reported = (
        sa.select(event.c.type, event.c.at)
        .where(event.c.address_key == key, event.c.send_id == past_send.id)
        .order_by(event.c.at)
    )
    return DeliveryDetails(
        state=row.state,
        error=row.error,
        sent_at=connection.scalar(taken) if row.state == "accepted" else None,
        events=tuple((type_, at) for type_, at in connection.execute(reported)),
    )
