"""SQL queries of a report: the database counts, not Python."""

import datetime
from typing import Any

import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import event, journal, send_recipient

# Events that prove that the email was delivered.
ENGAGEMENT_TYPES = ("open", "click", "spamreport", "unsubscribe", "group_unsubscribe")
_FAILURE_TYPES = ("bounce", "dropped")
_EVENT_TYPES = ("delivered", "deferred", *_FAILURE_TYPES, *ENGAGEMENT_TYPES)
_UNSUBSCRIBE_TYPES = ("unsubscribe", "group_unsubscribe")
_FLAGS = ("deferred", "complained", "unsubscribed", "opened")
# Unsubscribes on our pages or by a mail client's button; those at SendGrid are events.
_OWN_UNSUBSCRIBE_METHODS = ("one_click", "form")
_MAX_FIELD_LENGTH = 40
# Servers put the code and what it means first, and addresses and links after it.
_MAX_ANSWER_LENGTH = 300
SEPARATOR = "\x1f"
_TIME_LENGTH = 26  # characters of a time as text

# The period in which events without a send's id are attributed to a send.
TimeWindow = tuple[datetime.datetime, datetime.datetime]


def accepted_condition(send_id: int) -> sa.ColumnElement[bool]:
    """Return the condition for a send's accepted rows in ``send_recipient``."""
    return sa.and_(send_recipient.c.send_id == send_id, send_recipient.c.state == "accepted")


def hours_since(
    connection: sa.Connection, time: sa.ColumnElement[Any], start: datetime.datetime
) -> sa.ColumnElement[int]:
    """Return the full hours from ``start`` to ``time``; 0 for the hour before ``start``, too."""
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
    """Return a query that counts accepted recipients by domain, state, reason and hour.

    Returns:
        A query for domain, delivery state, reason of the failure, hour of delivery, number of
        recipients, and how many of those were deferred, complained, unsubscribed, and opened (by
        people only); ordered by domain.
    """
    recipient = _select_recipients(connection, send_id, window).subquery()
    delivered_at, bounced_at = recipient.c.delivered_at, recipient.c.bounced_at
    is_bounced = sa.and_(
        bounced_at.is_not(None), sa.or_(delivered_at.is_(None), bounced_at >= delivered_at)
    )
    arrived_at = sa.func.coalesce(delivered_at, recipient.c.engaged_at)
    key = recipient.c.address_key
    at_sign = sa.func.instr if connection.dialect.name == "sqlite" else sa.func.strpos
    result = sa.select(
        # The pseudonym of an erased subscriber has no domain.
        sa.case(
            (at_sign(key, "@") > 0, sa.func.substr(key, at_sign(key, "@") + 1)), else_=""
        ).label("domain"),
        sa.case(
            (is_bounced, "bounced"),
            (arrived_at.is_not(None), "delivered"),
            (recipient.c.drop_reason.is_not(None), "dropped"),
            else_="waiting",
        ).label("state"),
        sa.func.substr(
            sa.case(
                (is_bounced, recipient.c.bounce_reason),
                (arrived_at.is_not(None), sa.null()),
                else_=recipient.c.drop_reason,
            ),
            _TIME_LENGTH + 1,
        ).label("reason"),
        sa.case((sa.not_(is_bounced), hours_since(connection, arrived_at, sent_at))).label("hour"),
        *(recipient.c[name] for name in _FLAGS),
    ).subquery()
    keys = (result.c.domain, result.c.state, result.c.reason, result.c.hour)
    flags = (sa.func.count(result.c[name]) for name in _FLAGS)
    return sa.select(*keys, sa.func.count(), *flags).group_by(*keys).order_by(result.c.domain)


def _select_recipients(
    connection: sa.Connection,
    send_id: int,
    window: TimeWindow,
) -> sa.Select[Any]:
    """Return a query with one row per recipient.

    It has one grouping and no join, which would be slower. The aggregates ignore NULL, which costs
    less than a FILTER: most rows are recipients, of whom all but ``accepted`` is NULL.
    """
    fact = _select_facts(connection, send_id, window).subquery().c
    earliest = (sa.func.min(fact.engaged_at).label("engaged_at"),)
    latest = (sa.func.max(fact[name]).label(name) for name in ("delivered_at", "bounced_at"))
    reasons = (
        sa.func.max(ByCodePoint(fact[name])).label(name)
        for name in ("bounce_reason", "drop_reason")
    )
    flags = (sa.func.max(fact[name]).label(name) for name in _FLAGS)
    return (
        sa.select(fact.address_key, *earliest, *latest, *reasons, *flags)
        .group_by(fact.address_key)
        # Excludes others: another newsletter of the account may use the same send ids.
        .having(sa.func.max(fact.accepted) > 0)
    )


def _select_facts(
    connection: sa.Connection,
    send_id: int,
    window: TimeWindow,
) -> sa.CompoundSelect[Any]:
    """Return the union of events, accepted recipients and unsubscribes on our own pages.

    Each has a column for all that is to be known of a recipient, which is NULL if it says nothing
    about that.
    """
    since, until = window
    type_, at = event.c.type, event.c.at
    reason = sa.type_coerce(_failure_reason(connection), sa.Text)
    values = {
        "delivered_at": sa.case((type_ == "delivered", at)),
        "bounced_at": sa.case((type_ == "bounce", at)),
        "engaged_at": sa.case((type_.in_(ENGAGEMENT_TYPES), at)),
        "bounce_reason": sa.case((type_ == "bounce", reason)),
        "drop_reason": sa.case((type_ == "dropped", reason)),
        "deferred": sa.case((type_ == "deferred", 1)),
        "complained": sa.case((type_ == "spamreport", 1)),
        "unsubscribed": sa.case((type_.in_(_UNSUBSCRIBE_TYPES), 1)),
        "opened": sa.case((sa.and_(type_ == "open", sa.not_(event.c.is_bot)), 1)),
        "accepted": sa.cast(sa.null(), sa.Integer),
    }

    def only(name: str) -> list[sa.ColumnElement[Any]]:
        return [
            sa.literal(1, sa.Integer) if name == other else sa.cast(sa.null(), value.type)
            for other, value in values.items()
        ]

    all_events = sa.select(
        event.c.address_key, *(value.label(name) for name, value in values.items())
    )
    events = all_events.where(event.c.send_id == send_id, type_.in_(_EVENT_TYPES))
    # An asynchronous bounce has lost our ids; that of a transactional email has its own.
    bounces_without_ids = all_events.where(
        event.c.send_id.is_(None),
        type_ == "bounce",
        at >= since,
        at < until,
        event.c.raw["nl_notice"].as_string().is_(None),
    )
    recipients = sa.select(send_recipient.c.address_key, *only("accepted")).where(
        accepted_condition(send_id)
    )
    unsubscribes = (
        sa.select(send_recipient.c.address_key, *only("unsubscribed"))
        .join(journal, journal.c.subscriber_id == send_recipient.c.subscriber_id)
        .where(
            accepted_condition(send_id),
            journal.c.change == "unsubscribed",
            journal.c.method.in_(_OWN_UNSUBSCRIBE_METHODS),
            journal.c.at >= since,
            journal.c.at < until,
        )
    )
    return sa.union_all(events, bounces_without_ids, recipients, unsubscribes)


def _failure_reason(connection: sa.Connection) -> sa.ColumnElement[Any]:
    """Return a failure's time and reason as one text, so that the maximum is the latest one."""

    def join_fields(**max_lengths: int) -> sa.ColumnElement[Any]:
        first, *rest = (
            sa.func.substr(sa.func.coalesce(event.c.raw[name].as_string(), ""), 1, max_length)
            for name, max_length in max_lengths.items()
        )
        text: sa.ColumnElement[Any] = first
        for field in rest:
            text = text.concat(SEPARATOR).concat(field)
        return text

    time: sa.ColumnElement[Any] = (
        sa.func.substr(sa.cast(event.c.at, sa.Text), 1, _TIME_LENGTH)
        if connection.dialect.name == "sqlite"
        else sa.func.to_char(event.c.at, 'YYYY-MM-DD"T"HH24:MI:SS.US')
    )
    return sa.case(
        (
            event.c.type == "bounce",
            time.concat(
                join_fields(
                    type=_MAX_FIELD_LENGTH,
                    bounce_classification=_MAX_FIELD_LENGTH,
                    status=_MAX_FIELD_LENGTH,
                    reason=_MAX_ANSWER_LENGTH,
                )
            ),
        ),
        (event.c.type == "dropped", time.concat(join_fields(reason=_MAX_FIELD_LENGTH))),
    )
