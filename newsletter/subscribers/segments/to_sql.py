"""From nodes to a condition on the ``subscriber`` table; every word is a bound parameter.

Every condition is true or false, never unknown, so that ``not`` is the contrary of what it stands
before.
"""

import datetime
import operator
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from newsletter.db.schema import batch, event, send, send_recipient, subscriber, subscriber_tag
from newsletter.subscribers.segments.ast import (
    All,
    Compare,
    Either,
    Engaged,
    Field,
    Has,
    InStatus,
    Not,
    Query,
    Sourced,
    Tagged,
    Term,
    Value,
)
from newsletter.subscribers.segments.sql_dialects import (
    JsonAny,
    JsonNumber,
    JsonText,
    JsonTruth,
    fold,
)

Condition = sa.ColumnElement[bool]

_COMPARED: Mapping[str, Callable[[Any, Any], Condition]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# Who clicked has opened, even if their mail program loads no images; who opened has got it.
IMPLIED = {
    "delivered": ("delivered", "open", "click"),
    "opened": ("open", "click"),
    "clicked": ("click",),
}
# An issue counts as sent to readers who may have it: nobody should get it twice.
MAY_HAVE_IT = ("accepted", "unknown")
_LEFT = ("in_flight", "unknown", "accepted")


def condition(query: Query, zone: datetime.tzinfo) -> Condition:
    """What the query asks, as a condition on ``subscriber``.

    Args:
        query: from ``parse``.
        zone: the newsletter's, in which a day begins and ends.
    """
    match query:
        case All(parts):
            return sa.and_(*(condition(part, zone) for part in parts))
        case Either(parts):
            return sa.or_(*(condition(part, zone) for part in parts))
        case Not(part):
            return sa.not_(condition(part, zone))
        case _:
            return _term(query, zone)


def _term(term: Term, zone: datetime.tzinfo) -> Condition:  # noqa: PLR0911 - one a kind of term
    match term:
        case Tagged(tags):
            having = sa.select(subscriber_tag.c.subscriber_id).where(subscriber_tag.c.tag.in_(tags))
            return subscriber.c.id.in_(having.correlate(None))
        case InStatus(status):
            return subscriber.c.status == status
        case Sourced(prefix):
            return fold(subscriber.c.source).startswith(fold(prefix), autoescape=True)
        case Has(field):
            return _has(field)
        case Engaged("sent", sends):
            return _sent(sends)
        case Engaged(kind, sends):
            return _happened(IMPLIED[kind], sends)
        case Compare(field, sign, value):
            return _compare(field, sign, value, zone)


def _has(field: Field) -> Condition:
    if field.own:
        return sa.func.coalesce(sa.cast(_attribute(JsonAny, field), sa.Text), "") != ""
    if field.name == "confirmed":
        return subscriber.c.confirmed_at.is_not(None)
    return subscriber.c.name != "" if field.name == "name" else sa.true()


def _sent(sends: int | str) -> Condition:
    return (
        sa.exists()
        .where(
            send_recipient.c.subscriber_id == subscriber.c.id,
            send_recipient.c.send_id.in_(_sends(sends)),
            send_recipient.c.state.in_(MAY_HAVE_IT),
        )
        .correlate(subscriber)
    )


def _happened(types: tuple[str, ...], sends: int | str) -> Condition:
    return (
        sa.exists()
        .where(
            event.c.address_key == subscriber.c.address_key,
            event.c.type.in_(types),
            event.c.send_id.in_(_sends(sends)),
        )
        .correlate(subscriber)
    )


def _sends(which: int | str) -> sa.Select[tuple[int]]:
    """The ids of the last so many sends that have begun and weren't recalled, or of one issue's."""
    if isinstance(which, str):
        return sa.select(send.c.id).where(send.c.issue == which).correlate(None)
    has_left = sa.exists().where(batch.c.send_id == send.c.id, batch.c.state.in_(_LEFT))
    newest = sa.select(send.c.id).where(has_left.correlate(send), send.c.recalled_at.is_(None))
    return newest.order_by(send.c.frozen_at.desc(), send.c.id.desc()).limit(which).correlate(None)


def _compare(field: Field, sign: str, value: Value, zone: datetime.tzinfo) -> Condition:
    if field.own:
        return sa.func.coalesce(_compare_own(field, sign, value), sa.false())
    if isinstance(value, datetime.date):
        column = subscriber.c.joined_at if field.name == "joined" else subscriber.c.confirmed_at
        found = _on_day(column, sign, value, zone)
        return sa.func.coalesce(found, sa.false()) if column.nullable else found
    return _compare_text(field, sign, str(value))


def _on_day(
    column: sa.Column[Any], sign: str, day: datetime.date, zone: datetime.tzinfo
) -> Condition:
    """A moment against a whole day, which needn't have 24 hours."""
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


def _compare_text(field: Field, sign: str, value: str) -> Condition:
    key, typed = subscriber.c.address_key, fold(subscriber.c.address)
    match field.name, sign:
        case "name", _:
            name = subscriber.c.name
            return sa.and_(name != "", _text(fold(name), sign, value))
        case "email", "~":
            return sa.or_(_text(key, sign, value), _text(typed, sign, value))
        case "email", _:
            return _COMPARED[sign](key, value)
        case _, "~":
            # No address has two @.
            pattern = f"%@%{_escaped(fold(value))}%"
            return sa.or_(key.like(pattern, escape="/"), typed.like(pattern, escape="/"))
        case _:
            same = key.endswith(f"@{value}", autoescape=True)
            return same if sign == "=" else sa.not_(same)


def _compare_own(field: Field, sign: str, value: Value) -> Condition:
    match value:
        case bool():
            return _COMPARED[sign](_attribute(JsonTruth, field), str(value).lower())
        case int() | float():
            return _COMPARED[sign](_attribute(JsonNumber, field), value)
        case datetime.date():
            day = fold(_attribute(JsonText, field))
            return sa.and_(day.like("____-__-__"), _COMPARED[sign](day, value.isoformat()))
        case _:
            return _text(fold(_attribute(JsonText, field)), sign, value)


def _text(text: sa.ColumnElement[str], sign: str, value: str) -> Condition:
    if sign == "~":
        return text.contains(fold(value), autoescape=True)
    return _COMPARED[sign](text, fold(value))


def _attribute(kind: type[Any], field: Field) -> Any:
    path = f'$."{field.name}"'
    return kind(subscriber.c.attributes, sa.literal(field.name), sa.literal(path))


def _escaped(text: str) -> str:
    return text.replace("/", "//").replace("%", "/%").replace("_", "/_")
