"""Build the SQL condition of a segment query.

All text of the query becomes bound parameters. Each condition is true or false, never NULL, so
that ``not`` is its exact negation.
"""

import datetime
import operator
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import batch, event, send, send_recipient, subscriber, subscriber_tag
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
    lower_ascii,
)

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
_STARTED_STATES = ("in_flight", "unknown", "accepted")


def build_condition(query: Query, zone: datetime.tzinfo) -> Condition:
    """Return the query as a condition on ``subscriber``.

    Args:
        query: the query, from ``parse_query``.
        zone: the newsletter's time zone, in which days begin and end.
    """
    match query:
        case And(parts):
            return sa.and_(*(build_condition(part, zone) for part in parts))
        case Or(parts):
            return sa.or_(*(build_condition(part, zone) for part in parts))
        case Not(part):
            return sa.not_(build_condition(part, zone))
        case _:
            return _term_condition(query, zone)


def _term_condition(term: Term, zone: datetime.tzinfo) -> Condition:  # noqa: PLR0911 - one per kind of term
    match term:
        case HasTag(tags):
            tagged = sa.select(subscriber_tag.c.subscriber_id).where(subscriber_tag.c.tag.in_(tags))
            return subscriber.c.id.in_(tagged.correlate(None))
        case HasStatus(status):
            return subscriber.c.status == status
        case HasSource(prefix):
            return lower_ascii(subscriber.c.source).startswith(lower_ascii(prefix), autoescape=True)
        case HasField(field):
            return _has_value_condition(field)
        case HasEngagement("sent", sends):
            return _sent_condition(sends)
        case HasEngagement(kind, sends):
            return _event_condition(IMPLIED_EVENT_TYPES[kind], sends)
        case Comparison(field, sign, value):
            return _compare(field, sign, value, zone)


def _has_value_condition(field: SegmentField) -> Condition:
    if field.is_attribute:
        return sa.func.coalesce(sa.cast(_attribute_value(JsonAny, field), sa.Text), "") != ""
    if field.name == "confirmed":
        return subscriber.c.confirmed_at.is_not(None)
    return subscriber.c.name != "" if field.name == "name" else sa.true()


def _sent_condition(sends: int | str) -> Condition:
    return (
        sa.exists()
        .where(
            send_recipient.c.subscriber_id == subscriber.c.id,
            send_recipient.c.send_id.in_(_select_send_ids(sends)),
            send_recipient.c.state.in_(POSSIBLY_SENT_STATES),
        )
        .correlate(subscriber)
    )


def _event_condition(types: tuple[str, ...], sends: int | str) -> Condition:
    return (
        sa.exists()
        .where(
            event.c.address_key == subscriber.c.address_key,
            event.c.type.in_(types),
            event.c.send_id.in_(_select_send_ids(sends)),
        )
        .correlate(subscriber)
    )


def _select_send_ids(selector: int | str) -> sa.Select[tuple[int]]:
    """Return a query for the id of an issue's send, or the ids of the last sends.

    Of the last sends, only those count that have started and were not cancelled.
    """
    if isinstance(selector, str):
        return sa.select(send.c.id).where(send.c.issue == selector).correlate(None)
    was_started = sa.exists().where(
        batch.c.send_id == send.c.id, batch.c.state.in_(_STARTED_STATES)
    )
    sends = sa.select(send.c.id).where(was_started.correlate(send), send.c.recalled_at.is_(None))
    return sends.order_by(send.c.frozen_at.desc(), send.c.id.desc()).limit(selector).correlate(None)


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
    key, typed = subscriber.c.address_key, lower_ascii(subscriber.c.address)
    match field.name, sign:
        case "name", _:
            name = subscriber.c.name
            return sa.and_(name != "", _match_text(lower_ascii(name), sign, value))
        case "email", "~":
            return sa.or_(_match_text(key, sign, value), _match_text(typed, sign, value))
        case "email", _:
            return _OPERATORS[sign](key, value)
        case _, "~":
            # A match after the @ is in the domain: an address has only one @.
            pattern = f"%@%{_escape_like(lower_ascii(value))}%"
            return sa.or_(key.like(pattern, escape="/"), typed.like(pattern, escape="/"))
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
            day = lower_ascii(_attribute_value(JsonText, field))
            return sa.and_(day.like("____-__-__"), _OPERATORS[sign](day, value.isoformat()))
        case _:
            return _match_text(lower_ascii(_attribute_value(JsonText, field)), sign, value)


def _match_text(text: sa.ColumnElement[str], sign: str, value: str) -> Condition:
    if sign == "~":
        return text.contains(lower_ascii(value), autoescape=True)
    return _OPERATORS[sign](text, lower_ascii(value))


def _attribute_value(kind: type[Any], field: SegmentField) -> Any:
    path = f'$."{field.name}"'
    return kind(subscriber.c.attributes, sa.literal(field.name), sa.literal(path))


def _escape_like(text: str) -> str:
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")
