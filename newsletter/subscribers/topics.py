"""Topics that subscribers have opted out of, and the topic of each send.

An opt-out is a suppression with the topic as its scope, so no import, sync or new sign-up takes it
back; only the subscriber does. Whoever has not opted out of a topic wants it: a new topic reaches
everybody. Its case is ignored, so that another spelling in the settings is the same topic.

The topic of a send is a row of ``setting``, ``topic of send 12``, written when the send is frozen.
"""

import datetime
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_or_ignore
from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import send, setting, subscriber, suppression

SEND_TOPIC_KEY_PREFIX = "topic of send "
_SCOPE_PREFIX = "topic:"


def is_topic_scope(scope: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the condition that a suppression's scope is a topic: it applies to no other issues."""
    return scope.startswith(_SCOPE_PREFIX, autoescape=True)


_is_opt_out = is_topic_scope(suppression.c.scope)
# Of a row of ``suppression``: it applies to every issue.
IS_FROM_ALL = sa.not_(_is_opt_out)


class TopicOptOut(NamedTuple):
    """A topic that a subscriber doesn't want.

    Attributes:
        topic: the topic's key, in lower case.
        since: when they opted out, in UTC.
        source: where.
    """

    topic: str
    since: datetime.datetime
    source: str


def topic_scope(topic: str) -> str:
    """Return the scope of opt-outs of a topic; without a topic, one that no suppression has."""
    return f"{_SCOPE_PREFIX}{topic.casefold()}" if topic else ""


def opted_out_reason(topic: str) -> str:
    """Return why readers are left out who don't want a topic."""
    return f"opted out of the topic '{topic}'"


def wants_topic(topic: str) -> sa.ColumnElement[bool]:
    """Return the condition that a subscriber has not opted out of a topic."""
    return ~sa.exists().where(
        suppression.c.address_key == subscriber.c.address_key,
        suppression.c.scope == topic_scope(topic),
    ).correlate(subscriber)


def limit_to_topic(condition: sa.ColumnElement[bool], topic: str) -> sa.ColumnElement[bool]:
    """Return the condition without those who have opted out of a topic, if there is one."""
    return sa.and_(condition, wants_topic(topic)) if topic else condition


def load_opt_outs(connection: sa.Connection, key: str) -> tuple[TopicOptOut, ...]:
    """Return the topics that the subscriber with an address key doesn't want, sorted."""
    query = (
        sa.select(suppression.c.scope, suppression.c.since, suppression.c.source)
        .where(suppression.c.address_key == key, _is_opt_out)
        .order_by(ByCodePoint(suppression.c.scope))
    )
    return tuple(
        TopicOptOut(scope.removeprefix(_SCOPE_PREFIX), since, source)
        for scope, since, source in connection.execute(query)
    )


def load_opted_out_topics(
    connection: sa.Connection, keys: Collection[str]
) -> Mapping[str, list[str]]:
    """Return the topics that the holders of some addresses don't want: key -> topics, sorted."""
    query = (
        sa.select(suppression.c.address_key, suppression.c.scope)
        .where(column_in(connection, suppression.c.address_key, keys), _is_opt_out)
        .order_by(suppression.c.address_key, ByCodePoint(suppression.c.scope))
    )
    topics: dict[str, list[str]] = {}
    for key, scope in connection.execute(query):
        topics.setdefault(key, []).append(scope.removeprefix(_SCOPE_PREFIX))
    return topics


def count_opt_outs(connection: sa.Connection) -> Mapping[str, int]:
    """Return how many subscribers don't want a topic, for each topic that any has opted out of."""
    query = (
        sa.select(suppression.c.scope, sa.func.count())
        .join(subscriber, subscriber.c.address_key == suppression.c.address_key)
        .where(_is_opt_out)
        .group_by(suppression.c.scope)
        .order_by(ByCodePoint(suppression.c.scope))
    )
    return {scope.removeprefix(_SCOPE_PREFIX): count for scope, count in connection.execute(query)}


def set_chosen_topics(
    connection: sa.Connection,
    key: str,
    offered: Collection[str],
    chosen: Collection[str],
    opt_out: tuple[datetime.datetime, str],
) -> None:
    """Set which of the offered topics a subscriber wants; all other topics stay.

    Args:
        connection: in a write transaction.
        key: the subscriber's address key.
        offered: the topics that they were asked about.
        chosen: those of them that they want.
        opt_out: when and where they have answered.
    """
    since, source = opt_out
    unwanted = [topic for topic in offered if topic not in chosen]
    wanted = [topic_scope(topic) for topic in offered if topic in chosen]
    connection.execute(
        sa.delete(suppression).where(
            suppression.c.address_key == key, suppression.c.scope.in_(wanted)
        )
    )
    add_opt_outs(connection, [(key, topic, since, source) for topic in unwanted])


def add_opt_outs(
    connection: sa.Connection, opt_outs: Iterable[tuple[str, str, datetime.datetime, str]]
) -> None:
    """Record opt-outs; those that are recorded already stay as they are.

    Args:
        connection: in a write transaction.
        opt_outs: the address key, the topic, when and where it was stated.
    """
    rows = [
        {
            "address_key": key,
            "scope": topic_scope(topic),
            "reason": "opted_out",
            "since": since,
            "source": source,
        }
        for key, topic, since, source in opt_outs
    ]
    if rows:
        connection.execute(insert_or_ignore(connection, suppression), rows)


def move_opt_outs(connection: sa.Connection, old_key: str, new_key: str) -> None:
    """Let the opt-outs of a subscriber apply to their new address, and only to that."""
    # Of somebody who had the new address before: they were not this subscriber's.
    for key, statement in (
        (new_key, sa.delete(suppression)),
        (old_key, sa.update(suppression).values(address_key=new_key)),
    ):
        connection.execute(statement.where(suppression.c.address_key == key, _is_opt_out))


def insert_send_topic(connection: sa.Connection, send_id: int, topic: str) -> None:
    """Record the topic of a send, if it has one."""
    if topic:
        values = {"key": f"{SEND_TOPIC_KEY_PREFIX}{send_id}", "value": topic}
        connection.execute(sa.insert(setting).values(values))


def delete_send_topic(connection: sa.Connection, send_id: int) -> None:
    """Delete the record of a send that is discarded; its id may be used again."""
    key = f"{SEND_TOPIC_KEY_PREFIX}{send_id}"
    connection.execute(sa.delete(setting).where(setting.c.key == key))


def send_topic_column() -> sa.ColumnElement[str]:
    """Return the column with the topic of each send of a query, ``""`` for none."""
    key = sa.literal(SEND_TOPIC_KEY_PREFIX).concat(sa.cast(send.c.id, sa.Text))
    topic = sa.select(setting.c.value).where(setting.c.key == key).correlate(send)
    return sa.func.coalesce(topic.scalar_subquery(), "").label("topic")
