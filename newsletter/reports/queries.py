"""The queries of a report: what the database adds up, so that a million readers stay in it."""

import datetime
from typing import Any

import sqlalchemy as sa

from newsletter.db.column_types import UtcDateTime
from newsletter.db.schema import event, journal, send_recipient

# Signs that the mail is there.
ENGAGEMENT_TYPES = ("open", "click", "spamreport", "unsubscribe", "group_unsubscribe")
_FAILURE_TYPES = ("bounce", "dropped")
_EVENT_TYPES = ("delivered", "deferred", *_FAILURE_TYPES, *ENGAGEMENT_TYPES)
_UNSUBSCRIBE_TYPES = ("unsubscribe", "group_unsubscribe", "left")
# By which a reader leaves a page of ours or by a mail program's button; SendGrid's are events.
_OWN_UNSUBSCRIBE_METHODS = ("one_click", "form")
_MAX_REASON_LENGTH = 40
SEPARATOR = "\x1f"
_TIME_LENGTH = 26  # characters of a time as text

# From when until when what names no send is about this one.
TimeWindow = tuple[datetime.datetime, datetime.datetime]


def accepted_condition(send_id: int) -> sa.ColumnElement[bool]:
    """Which rows of ``send_recipient`` are readers whom SendGrid has accepted."""
    return sa.and_(send_recipient.c.send_id == send_id, send_recipient.c.state == "accepted")


def hours_since(
    connection: sa.Connection, time: sa.ColumnElement[Any], start: datetime.datetime
) -> sa.ColumnElement[int]:
    """Full hours from ``start`` to ``time``; up to one before it is 0 too."""
    seconds: sa.ColumnElement[int] = (
        sa.cast(sa.func.strftime("%s", time), sa.Integer)
        if connection.dialect.name == "sqlite"
        else sa.cast(sa.func.floor(sa.extract("epoch", time)), sa.BigInteger)
    )
    return (seconds - int(start.timestamp())) // 3600


def select_counts_by_domain(
    connection: sa.Connection,
    send_id: int,
    sent_at: datetime.datetime,
    window: TimeWindow,
) -> sa.Select[Any]:
    """The accepted readers, counted by domain, fate, why it failed and hour of arrival.

    Returns:
        A query for domain, fate, reason, hour, readers, and how many of those were put off,
        complained, left, opened (people alone); in the order of the domains.
    """
    reader = _select_recipients(connection, send_id, window).subquery()
    delivered, bounced = reader.c.delivered_at, reader.c.bounced_at
    back = sa.and_(bounced.is_not(None), sa.or_(delivered.is_(None), bounced >= delivered))
    arrived = sa.func.coalesce(delivered, reader.c.sign_at)
    key = reader.c.address_key
    at_sign = sa.func.instr if connection.dialect.name == "sqlite" else sa.func.strpos
    each = sa.select(
        # What stands for an erased reader has none.
        sa.case(
            (at_sign(key, "@") > 0, sa.func.substr(key, at_sign(key, "@") + 1)), else_=""
        ).label("domain"),
        sa.case(
            (back, "bounced"),
            (arrived.is_not(None), "delivered"),
            (reader.c.why_dropped.is_not(None), "dropped"),
            else_="waiting",
        ).label("fate"),
        sa.func.substr(
            sa.case(
                (back, reader.c.why_bounced),
                (arrived.is_not(None), sa.null()),
                else_=reader.c.why_dropped,
            ),
            _TIME_LENGTH + 1,
        ).label("reason"),
        sa.case((sa.not_(back), hours_since(connection, arrived, sent_at))).label("hour"),
        *(reader.c[name] for name in ("deferred", "complained", "left", "opened")),
    ).subquery()
    keys = (each.c.domain, each.c.fate, each.c.reason, each.c.hour)
    flags = (each.c.deferred, each.c.complained, each.c.left, each.c.opened)
    return (
        sa.select(*keys, sa.func.count(), *(sa.func.count().filter(flag > 0) for flag in flags))
        .group_by(*keys)
        .order_by(each.c.domain)
    )


def _select_recipients(
    connection: sa.Connection,
    send_id: int,
    window: TimeWindow,
) -> sa.Select[Any]:
    """One row a reader: what is known of them. One grouping and no join, which would cost more."""
    fact = _select_facts(connection, send_id, window).subquery()
    is_, at = fact.c.type, fact.c.at

    def times(*types: str) -> sa.ColumnElement[int]:
        return sa.func.count().filter(is_.in_(types))

    return (
        sa.select(
            fact.c.address_key,
            sa.func.max(at).filter(is_ == "delivered").label("delivered_at"),
            sa.func.max(at).filter(is_ == "bounce").label("bounced_at"),
            sa.func.min(at).filter(is_.in_(ENGAGEMENT_TYPES)).label("sign_at"),
            sa.func.max(fact.c.why).filter(is_ == "bounce").label("why_bounced"),
            sa.func.max(fact.c.why).filter(is_ == "dropped").label("why_dropped"),
            times("deferred").label("deferred"),
            times("spamreport").label("complained"),
            times(*_UNSUBSCRIBE_TYPES).label("left"),
            sa.func.count().filter(is_ == "open", ~fact.c.machine).label("opened"),
        )
        .group_by(fact.c.address_key)
        # Events of strangers (another newsletter of the account may use the same numbers) go.
        .having(times("accepted") > 0)
    )


def _select_facts(
    connection: sa.Connection,
    send_id: int,
    window: TimeWindow,
) -> sa.CompoundSelect[Any]:
    """Events, accepted readers and those who left by a page of ours, all in one shape."""
    since, until = window
    nothing = (sa.cast(sa.null(), UtcDateTime), sa.cast(sa.null(), sa.Text), sa.false())
    told = sa.select(
        event.c.address_key,
        event.c.type.label("type"),
        event.c.at.label("at"),
        _failure_reason(connection).label("why"),
        event.c.is_bot.label("machine"),
    )
    events = told.where(event.c.send_id == send_id, event.c.type.in_(_EVENT_TYPES))
    # A mail that comes back after it was accepted has lost our ids; a notice's has its own.
    strays = told.where(
        event.c.send_id.is_(None),
        event.c.type == "bounce",
        event.c.at >= since,
        event.c.at < until,
        event.c.raw["nl_notice"].as_string().is_(None),
    )
    readers = sa.select(send_recipient.c.address_key, sa.literal("accepted"), *nothing).where(
        accepted_condition(send_id)
    )
    leavers = (
        sa.select(send_recipient.c.address_key, sa.literal("left"), *nothing)
        .join(journal, journal.c.subscriber_id == send_recipient.c.subscriber_id)
        .where(
            accepted_condition(send_id),
            journal.c.change == "unsubscribed",
            journal.c.method.in_(_OWN_UNSUBSCRIBE_METHODS),
            journal.c.at >= since,
            journal.c.at < until,
        )
    )
    return sa.union_all(events, strays, readers, leavers)


def _failure_reason(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """The time of a failure and what it says of itself: the greatest is the latest one's."""

    def told(*names: str) -> sa.ColumnElement[Any]:
        first, *rest = (
            sa.func.substr(
                sa.func.coalesce(event.c.raw[name].as_string(), ""), 1, _MAX_REASON_LENGTH
            )
            for name in names
        )
        text: sa.ColumnElement[Any] = first
        for one in rest:
            text = text.concat(SEPARATOR).concat(one)
        return text

    time: sa.ColumnElement[Any] = (
        sa.func.substr(sa.cast(event.c.at, sa.Text), 1, _TIME_LENGTH)
        if connection.dialect.name == "sqlite"
        else sa.func.to_char(event.c.at, 'YYYY-MM-DD"T"HH24:MI:SS.US')
    )
    return sa.case(
        (
            event.c.type == "bounce",
            time.concat(told("type", "bounce_classification", "status")),
        ),
        (event.c.type == "dropped", time.concat(told("reason"))),
    )
