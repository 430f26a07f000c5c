"""Build the SQL condition of a segment query.

All text of the query becomes bound parameters. Each condition is true or false, never NULL.

A subscriber who was not sent an issue, or whose copy was not tracked since they had not agreed, has
neither opened it nor not opened it: both ``opened:`` and ``not opened:`` are false for them.
``not`` before a parenthesis is moved to its parts (De Morgan's laws, which hold in this
three-valued logic), so that this is true of any query.
"""

import datetime
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import batch, event, send_recipient, subscriber, subscriber_tag
from newsletter.subscribers.segments.ast import (
    And,
    Comparison,
    ComparisonValue,
    HasEngagement,
    HasField,
    HasSource,
    HasStatus,
    HasTag,
    Not,
    Or,
    Query,
    SegmentField,
    Term,
)
from newsletter.subscribers.segments.sql_dialects import (
    JsonAny,
    JsonBoolean,
    JsonNumber,
    JsonText,
    text_matches,
)
from newsletter.subscribers.tracking_groups import agreed_batch_condition

if TYPE_CHECKING:
    from newsletter.config.tracking import TrackedAction

Condition = sa.ColumnElement[bool]

_OPERATORS: Mapping[str, Callable[[Any, Any], Condition]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# A click implies an open, even if the mail client loads no images; an open implies a delivery.
IMPLIED_EVENT_TYPES = {
    "delivered": ("delivered", "open", "click"),
    "opened": ("open", "click"),
    "clicked": ("click",),
}
# An issue counts as sent if the subscriber may have received it: nobody should get it twice.
POSSIBLY_SENT_STATES = ("accepted", "unknown")


def build_condition(query: Query, zone: datetime.tzinfo, *, negated: bool = False) -> Condition:
    """Return the query as a condition on ``subscriber``.

    Args:
        query: the query, from ``parse_query``.
        zone: the newsletter's time zone, in which days begin and end.
        negated: whether to return its negation: the condition of ``Not(query)``.
    """
    match query:
        case And(parts) | Or(parts):
            join = sa.and_ if isinstance(query, And) != negated else sa.or_
            return join(*(build_condition(part, zone, negated=negated) for part in parts))
        case Not(part):
            return build_condition(part, zone, negated=not negated)
        case HasEngagement() if negated and query.kind != "sent":
            condition = sa.not_(_term_condition(query, zone))
            return sa.and_(_tracked_recipient_condition(query), condition)
        case _:
            condition = _term_condition(query, zone)
            return sa.not_(condition) if negated else condition


def _term_condition(term: Term, zone: datetime.tzinfo) -> Condition:  # noqa: PLR0911 - one per kind of term
    match term:
        case HasTag(tags):
            tagged = sa.select(subscriber_tag.c.subscriber_id).where(subscriber_tag.c.tag.in_(tags))
            return subscriber.c.id.in_(tagged.correlate(None))
        case HasStatus(status):
            return subscriber.c.status == status
        case HasSource(prefix):
            return text_matches(subscriber.c.source, prefix, "")
        case HasField(field):
            return _has_value_condition(field)
        case HasEngagement("sent", _, send_ids):
            return _recipient_condition(send_ids, POSSIBLY_SENT_STATES)
        case HasEngagement(kind, _, send_ids):
            return _event_condition(kind, send_ids)
        case Comparison(field, sign, value):
            return _compare(field, sign, value, zone)


def _has_value_condition(field: SegmentField) -> Condition:
    if field.is_attribute:
        return sa.func.coalesce(sa.cast(_attribute_value(JsonAny, field), sa.Text), "") != ""
    if field.name == "confirmed":
        return subscriber.c.confirmed_at.is_not(None)
    return subscriber.c.name != "" if field.name == "name" else sa.true()


def _recipient_condition(
    send_ids: Sequence[int], states: Sequence[str], *conditions: Condition
) -> Condition:
    return (
        sa.exists()
        .where(
            send_recipient.c.subscriber_id == subscriber.c.id,
            send_recipient.c.send_id.in_(_inline(send_ids)),
            send_recipient.c.state.in_(states),
            *conditions,
        )
        .correlate(subscriber)
    )


def _tracked_recipient_condition(query: HasEngagement) -> Condition:
    """Return the condition that it is known whether a recipient has done it.

    Of a reader whose copy was not tracked, nobody knows whether they have opened it.
    """
    if not query.asked_ids:
        return _recipient_condition(query.send_ids, ("accepted",))
    action: TrackedAction = "clicks" if query.kind == "clicked" else "opens"
    was_tracked = sa.exists().where(
        batch.c.id == send_recipient.c.batch_id, agreed_batch_condition(action)
    )
    is_known = sa.or_(send_recipient.c.send_id.not_in(_inline(query.asked_ids)), was_tracked)
    return _recipient_condition(query.send_ids, ("accepted",), is_known)


def _event_condition(kind: str, send_ids: Sequence[int]) -> Condition:
    """Return the condition that an event of a subscriber's copy was reported.

    By the address that the copy was sent to: the subscriber may have another one now. A bot's open
    proves that the email was delivered, but not that anybody has read it.
    """
    by_person = sa.true() if kind == "delivered" else sa.not_(event.c.is_bot)
    return (
        sa.exists()
        .where(
            send_recipient.c.subscriber_id == subscriber.c.id,
            send_recipient.c.send_id.in_(_inline(send_ids)),
            event.c.send_id == send_recipient.c.send_id,
            event.c.address_key == send_recipient.c.address_key,
            event.c.type.in_(IMPLIED_EVENT_TYPES[kind]),
            by_person,
        )
        .correlate(subscriber)
    )


def _inline(send_ids: Sequence[int]) -> sa.BindParameter[Sequence[int]]:
    """Return ids as a list in the statement: databases limit the number of parameters."""
    return sa.bindparam(None, list(send_ids), expanding=True, literal_execute=True)


def _compare(
    field: SegmentField, sign: str, value: ComparisonValue, zone: datetime.tzinfo
) -> Condition:
    if field.is_attribute:
        return sa.func.coalesce(_compare_attribute(field, sign, value), sa.false())
    if isinstance(value, datetime.date):
        column = subscriber.c.joined_at if field.name == "joined" else subscriber.c.confirmed_at
        condition = _compare_date(column, sign, value, zone)
        return sa.func.coalesce(condition, sa.false()) if column.nullable else condition
    return _compare_text(field, sign, str(value))


def _compare_date(
    column: sa.Column[Any], sign: str, day: datetime.date, zone: datetime.tzinfo
) -> Condition:
    """Compare a time with a whole day, which does not always have 24 hours."""
    start = datetime.datetime.combine(day, datetime.time(), zone)
    end = datetime.datetime.combine(day + datetime.timedelta(days=1), datetime.time(), zone)
    match sign:
        case "=":
            return sa.and_(column >= start, column < end)
        case "!=":
            return sa.or_(column < start, column >= end)
        case "<":
            return column < start
        case "<=":
            return column < end
        case ">":
            return column >= end
        case _:
            return column >= start


def _compare_text(field: SegmentField, sign: str, value: str) -> Condition:
    key, typed = subscriber.c.address_key, subscriber.c.address
    match field.name, sign:
        case "name", _:
            name = subscriber.c.name
            return sa.and_(name != "", _match_text(name, sign, value))
        case "email", "~":
            return sa.or_(_match_text(key, sign, value), _match_text(typed, sign, value))
        case "email", _:
            return _OPERATORS[sign](key, value)
        case _, "~":
            # A match after the @ is in the domain: an address has only one @.
            return sa.or_(*(text_matches(text, "", "@", value, "") for text in (key, typed)))
        case _:
            has_domain = key.endswith(f"@{value}", autoescape=True)
            return has_domain if sign == "=" else sa.not_(has_domain)


def _compare_attribute(field: SegmentField, sign: str, value: ComparisonValue) -> Condition:
    match value:
        case bool():
            return _OPERATORS[sign](_attribute_value(JsonBoolean, field), str(value).lower())
        case int() | float():
            return _OPERATORS[sign](_attribute_value(JsonNumber, field), value)
        case datetime.date():
            day = ByCodePoint(_attribute_value(JsonText, field))
            return sa.and_(day.like("____-__-__"), _OPERATORS[sign](day, value.isoformat()))
        case _:
            return _match_text(_attribute_value(JsonText, field), sign, value)


def _match_text(text: sa.ColumnElement[str], sign: str, value: str) -> Condition:
    if sign == "~":
        return text_matches(text, "", value, "")
    matches = text_matches(text, value)
    return matches if sign == "=" else sa.not_(matches)


def _attribute_value(kind: type[Any], field: SegmentField) -> Any:
    path = f'$."{field.name}"'
    return kind(subscriber.c.attributes, sa.literal(field.name), sa.literal(path))
