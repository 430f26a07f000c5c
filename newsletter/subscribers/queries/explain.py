"""Explain why one subscriber gets an issue, or doesn't."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import attempt, event, send_recipient, subscriber
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import find_erased
from newsletter.subscribers.consent.journal import JournalEntry
from newsletter.subscribers.consent.suppressions import SuppressionEntry, load_suppressions
from newsletter.subscribers.consent.tracking_answers import (
    TrackingAnswers,
    load_tracking_answers,
)
from newsletter.subscribers.queries.near_addresses import find_near_addresses
from newsletter.subscribers.queries.past_sends import PastSend
from newsletter.subscribers.segments import Segment
from newsletter.subscribers.segments.ast import And, Not, Or, Query
from newsletter.subscribers.segments.to_sql import build_condition
from newsletter.subscribers.topics import TopicOptOut, load_opt_outs

DeliveryAnswer = Literal["yes", "no", "maybe"]


class EvaluatedTerm(NamedTuple):
    """A part of a query, and whether it is true for the subscriber.

    Attributes:
        depth: the nesting level, 0 for the whole query.
        text: the part in the syntax of queries.
        holds: whether it is true; ``None`` if neither it nor its negation is, because the
            subscriber was not sent the issue.
    """

    depth: int
    text: str
    holds: bool | None


class DeliveryDetails(NamedTuple):
    """The delivery of an issue to the subscriber.

    Attributes:
        state: one of ``newsletter.db.schema.RECIPIENT_STATES``.
        error: the provider's error message, or our own.
        sent_at: when the provider accepted it; ``None`` if it didn't.
        events: the events reported since: type and time, the oldest first.
    """

    state: str
    error: str
    sent_at: datetime.datetime | None
    events: tuple[tuple[str, datetime.datetime], ...]


@dataclass(frozen=True, slots=True)
class DeliveryExplanation:
    """The reasons why a subscriber gets an issue, or doesn't.

    Attributes:
        address: the address as typed, or as given if it isn't in the list.
        answer: whether they get it, or have got it; ``maybe`` if the outcome is unknown.
        status: the status; ``""`` if they aren't in the list.
        since: the journal entry by which they got the status; ``None`` if there is none.
        erased_at: when they were erased on request.
        suppressed: their suppressions.
        paused_until: the end of their pause, if it is in the future.
        topic: the issue's topic; ``""`` if it has none.
        opt_outs: the topics that they don't want.
        terms: the segment's query, part by part; empty without a segment.
        sent: the issue's send; ``None`` if there is none.
        copy: the delivery to them; ``None`` if they weren't in the send.
        tracking: whether opens, and clicks, of the subscriber may be recorded now; an action that
            they were not asked about is missing.
        then: the status when the send was frozen; ``""`` if they weren't in the list.
        near: the addresses in the list that may be meant, if this one is unknown.
    """

    address: str
    answer: DeliveryAnswer
    status: str = ""
    since: JournalEntry | None = None
    erased_at: datetime.datetime | None = None
    suppressed: tuple[SuppressionEntry, ...] = ()
    paused_until: datetime.datetime | None = None
    topic: str = ""
    opt_outs: tuple[TopicOptOut, ...] = ()
    terms: tuple[EvaluatedTerm, ...] = ()
    sent: PastSend | None = None
    copy: DeliveryDetails | None = None
    then: str = ""
    tracking: TrackingAnswers = field(default_factory=dict)
    near: tuple[str, ...] = ()


def explain_delivery(  # noqa: PLR0913 - the decision depends on all of them
    connection: sa.Connection,
    address: ParsedAddress,
    *,
    segment: Segment | None,
    past_send: PastSend | None,
    topic: str = "",
    now: datetime.datetime,
    zone: datetime.tzinfo,
) -> DeliveryExplanation:
    """Return why the subscriber with an address gets an issue, or doesn't.

    Args:
        connection: a connection in a transaction.
        address: the address.
        segment: the segment that the issue is limited to, if any.
        past_send: the issue's send; ``None`` if it wasn't sent.
        topic: the issue's topic, if it has one.
        now: the current time, an aware datetime.
        zone: the newsletter's time zone.
    """
    columns = (
        subscriber.c.id,
        subscriber.c.address,
        subscriber.c.status,
        subscriber.c.paused_until,
    )
    query = sa.select(*columns).where(subscriber.c.address_key == address.key)
    found = connection.execute(query).first()
    suppressed = load_suppressions(connection, address.key)
    if found is None:
        erased_at = find_erased(connection, [address.key]).get(address.key)
        is_unknown = not (erased_at or suppressed)
        return DeliveryExplanation(
            address.address,
            "no",
            erased_at=erased_at,
            suppressed=suppressed,
            sent=past_send,
            near=tuple(find_near_addresses(connection, address.key)) if is_unknown else (),
        )
    entries = journal.load_journal(connection, found.id)
    terms = tuple(_evaluate_terms(connection, found.id, segment.query, zone)) if segment else ()
    copy = _load_delivery(connection, past_send, found.id, address.key) if past_send else None
    paused_until = found.paused_until if (found.paused_until or now) > now else None
    opt_outs = load_opt_outs(connection, address.key)
    is_unwanted = topic.casefold() in {opt_out.topic for opt_out in opt_outs}
    mailable = found.status == "active" and not (suppressed or paused_until or is_unwanted)
    return DeliveryExplanation(
        address=found.address,
        answer=_answer_for_send(copy, mailable=mailable)
        if past_send
        else _to_answer(mailable and _matches_segment(terms)),
        status=found.status,
        since=_status_since(entries, found.status),
        suppressed=suppressed,
        paused_until=paused_until,
        topic=topic,
        opt_outs=opt_outs,
        terms=terms,
        sent=past_send,
        copy=copy,
        then=_status_at_send(entries, past_send) if past_send else "",
        tracking=load_tracking_answers(connection, found.id),
    )


def _to_answer(gets_issue: bool) -> DeliveryAnswer:  # noqa: FBT001 - the only argument
    return "yes" if gets_issue else "no"


def _matches_segment(terms: Sequence[EvaluatedTerm]) -> bool:
    return not terms or bool(terms[0].holds)


def _answer_for_send(copy: DeliveryDetails | None, *, mailable: bool) -> DeliveryAnswer:
    """Return whether the subscriber has got the issue, or will get it."""
    state = copy.state if copy else ""
    if state == "unknown":
        return "maybe"
    return _to_answer(state == "accepted" or (state == "pending" and mailable))


def _status_since(entries: Sequence[JournalEntry], status: str) -> JournalEntry | None:
    """Return the entry that changed the status to the present one."""
    latest = list(takewhile(lambda entry: entry.status == status, reversed(entries)))
    return latest[-1] if latest else None


def _status_at_send(entries: Sequence[JournalEntry], past_send: PastSend) -> str:
    """Return the status when the send was frozen."""
    return next(
        (entry.status for entry in reversed(entries) if entry.at <= past_send.frozen_at), ""
    )


def _evaluate_terms(
    connection: sa.Connection, id_: int, query: Query, zone: datetime.tzinfo, depth: int = 0
) -> Iterator[EvaluatedTerm]:
    """Yield the query and, nested, its parts, each with whether it is true."""
    select = sa.select(sa.true()).select_from(subscriber)
    holds, negation_holds = (
        bool(
            connection.scalar(
                select.where(subscriber.c.id == id_, build_condition(query, zone, negated=negated))
            )
        )
        for negated in (False, True)
    )
    yield EvaluatedTerm(depth, str(query), holds if holds or negation_holds else None)
    parts: tuple[Query, ...] = ()
    if isinstance(query, And | Or):
        parts = query.parts
    elif isinstance(query, Not) and isinstance(query.part, And | Or | Not):
        parts = (query.part,)
    for part in parts:
        yield from _evaluate_terms(connection, id_, part, zone, depth + 1)


def _load_delivery(
    connection: sa.Connection, past_send: PastSend, id_: int, key: str
) -> DeliveryDetails | None:
    query = sa.select(send_recipient).where(
        send_recipient.c.send_id.in_(past_send.ids), send_recipient.c.subscriber_id == id_
    )
    row: Any = connection.execute(query).first()
    if row is None:
        return None
    accepted_at = sa.select(sa.func.max(attempt.c.ended_at)).where(
        attempt.c.batch_id == row.batch_id, attempt.c.outcome == "accepted"
    )
    events = (
        sa.select(event.c.type, event.c.at)
        .where(event.c.address_key == key, event.c.send_id == row.send_id)
        .order_by(event.c.at, ByCodePoint(event.c.sg_event_id))
    )
    return DeliveryDetails(
        state=row.state,
        error=row.error,
        sent_at=connection.scalar(accepted_at) if row.state == "accepted" else None,
        events=tuple((type_, at) for type_, at in connection.execute(events)),
    )
