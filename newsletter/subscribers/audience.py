"""Select and count the audience of a send, and who is excluded and why.

Read-only. A subscriber who has paused their subscription is excluded until the pause ends, so
every query depends on a moment; queries that belong together must use the same one.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import STATUSES, UtcDateTime, subscriber, suppression
from newsletter.subscribers.attribute_types import format_value
from newsletter.subscribers.topics import (
    IS_FROM_ALL,
    limit_to_topic,
    opted_out_reason,
    wants_topic,
)

# Rows per query: enough that the round trip doesn't matter, and only a few MB.
PAGE_SIZE = 5_000
ALL_SUBSCRIBERS: sa.ColumnElement[bool] = sa.true()
OUTSIDE_SEGMENT = "not in the segment"
PAUSED = "paused"

_suppressed_address = suppression.c.address_key == subscriber.c.address_key
_is_suppressed = sa.exists().where(_suppressed_address, IS_FROM_ALL)
# Of a send, its topic's opt-outs too. In one lookup: a send makes it for each of its recipients.
_is_suppressed_from_send = sa.exists().where(
    _suppressed_address,
    sa.or_(IS_FROM_ALL, suppression.c.scope == sa.bindparam("topic_scope", value="")),
)
_is_active = subscriber.c.status == "active"
# Pauses are evaluated at this moment. The default, for a single statement, is the current time.
_moment = sa.bindparam(
    "moment", type_=UtcDateTime(), callable_=lambda: datetime.datetime.now(datetime.UTC)
)
_is_paused = subscriber.c.paused_until > _moment
_is_not_paused = sa.or_(subscriber.c.paused_until.is_(None), subscriber.c.paused_until <= _moment)
MAILABLE = sa.and_(_is_active, _is_not_paused, ~_is_suppressed)
_recipient_columns = (
    subscriber.c.id,
    subscriber.c.address,
    subscriber.c.address_key,
    subscriber.c.token,
    subscriber.c.name,
    # As text: orjson decodes it faster than the database drivers do.
    sa.cast(subscriber.c.attributes, sa.Text),
)
_mailable_query = sa.select(*_recipient_columns).where(MAILABLE).order_by(subscriber.c.id)


class Recipient(NamedTuple):
    """A subscriber who may be mailed; a tuple, since a send creates a million of them.

    Attributes:
        id: the subscriber's id, which is never reused.
        address: where to send, with the domain in ASCII (RFC 5891).
        address_key: the address as a key, unique in the list.
        token: the secret in the subscriber's unsubscribe and preferences links.
        attributes: the values for merge tags: ``email`` and ``name`` (as typed, perhaps ``""``)
            and the editor's own attributes, all as text.
    """

    id: int
    address: str
    address_key: str
    token: str
    attributes: Mapping[str, str]


def iter_audience(
    connection: sa.Connection,
    *,
    after: int = 0,
    condition: sa.ColumnElement[bool] = ALL_SUBSCRIBERS,
    at: datetime.datetime | None = None,
) -> Iterator[Recipient]:
    """Yield all active subscribers who aren't paused or suppressed, by ascending id.

    Fetches page by page, so memory use is constant. Call it within one ``read_transaction`` (or
    the transaction that freezes a send), so that all pages see one snapshot.

    Args:
        connection: a connection in a transaction.
        after: skip ids up to and including this one.
        condition: the condition of a segment.
        at: the moment at which pauses are evaluated; now if not given.
    """
    page = _mailable_query.where(condition, subscriber.c.id > sa.bindparam("after")).limit(
        PAGE_SIZE
    )
    moment = _moment_parameter(at)
    while True:
        rows = connection.execute(page, {"after": after, **moment}).all()
        for row in rows:
            yield _to_recipient(row)
        if len(rows) < PAGE_SIZE:
            return
        after = rows[-1][0]


def find_active_recipient(connection: sa.Connection, address_key: str) -> Recipient | None:
    """Return the active subscriber of an address, even if paused or suppressed; else ``None``."""
    query = sa.select(*_recipient_columns).where(
        subscriber.c.address_key == address_key, _is_active
    )
    row = connection.execute(query).one_or_none()
    return _to_recipient(row) if row else None


def select_still_mailable(frozen: sa.Subquery) -> sa.Select[Any]:
    """Return a query that finds which frozen recipients may still be mailed, by ascending id.

    It has the parameters ``moment``, at which pauses are evaluated, and ``topic_scope``, the scope
    of the send's topic. It returns one row per frozen recipient for ``split_mailable``. A
    subscriber whose address has changed may not be mailed: the new address may belong to another
    frozen recipient, and nobody may get the issue twice.

    Args:
        frozen: a subquery with the columns ``subscriber_id`` and ``address_key``.
    """
    return (
        sa.select(frozen.c.subscriber_id, *_recipient_columns[1:])
        .select_from(frozen.outerjoin(subscriber, still_mailable_condition(frozen)))
        .order_by(frozen.c.subscriber_id)
    )


def still_mailable_condition(frozen: sa.FromClause) -> sa.ColumnElement[bool]:
    """Return the condition of ``select_still_mailable``, on which subscribers are joined."""
    return sa.and_(
        subscriber.c.id == frozen.c.subscriber_id,
        subscriber.c.address_key == frozen.c.address_key,
        _is_active,
        _is_not_paused,
        ~_is_suppressed_from_send,
    )


def split_mailable(rows: Sequence[Any], unmailable_ids: list[int]) -> list[Recipient]:
    """Return the recipients in rows of ``select_still_mailable`` who may be mailed.

    Args:
        rows: the rows of one batch.
        unmailable_ids: the list to which the ids of all others are appended.
    """
    unmailable_ids += [row[0] for row in rows if row[1] is None]
    return [_to_recipient(row) for row in rows if row[1] is not None]


def count_by_status(connection: sa.Connection) -> Mapping[str, int]:
    """Return the number of subscribers of each status, in the order of ``STATUSES``."""
    query = sa.select(subscriber.c.status, sa.func.count()).group_by(subscriber.c.status)
    counts: dict[str, int] = dict(connection.execute(query).all())
    return {status: counts.get(status, 0) for status in STATUSES}


def count_subscribers(
    connection: sa.Connection,
    condition: sa.ColumnElement[bool] = ALL_SUBSCRIBERS,
    *,
    mailable_only: bool = False,
    at: datetime.datetime | None = None,
) -> int:
    """Return the number of subscribers in a segment.

    Args:
        connection: a connection in a transaction.
        condition: the segment's condition.
        mailable_only: count only those who would be in its audience.
        at: the moment at which pauses are evaluated; now if not given.
    """
    total = sa.select(sa.func.count()).select_from(subscriber).where(condition)
    if not mailable_only:
        return connection.scalar(total) or 0
    active = total.where(_is_active)
    # Few are suppressed or paused: subtracting them is faster than testing every subscriber.
    suppressed_keys = sa.select(suppression.c.address_key).where(IS_FROM_ALL)
    suppressed = active.where(subscriber.c.address_key.in_(suppressed_keys))
    paused = active.where(_is_paused, ~_is_suppressed)
    return (
        (connection.scalar(active) or 0)
        - (connection.scalar(suppressed) or 0)
        - (connection.scalar(paused, _moment_parameter(at)) or 0)
    )


def count_exclusions(
    connection: sa.Connection,
    condition: sa.ColumnElement[bool] = ALL_SUBSCRIBERS,
    *,
    topic: str = "",
    at: datetime.datetime | None = None,
) -> Mapping[str, int]:
    """Return the number of excluded subscribers by reason; only reasons that occur.

    A reason is a status; for an active subscriber, the suppression's reason or ``PAUSED``; for
    those who could be mailed, ``opted_out_reason`` if they don't want the topic, or else
    ``OUTSIDE_SEGMENT`` if they aren't in the segment. Together with the size of the audience at the
    same moment, the numbers add up to the whole list.

    Args:
        connection: a connection in a transaction.
        condition: the segment's condition.
        topic: the issue's topic, if it has one.
        at: the moment at which pauses are evaluated; now if not given.
    """
    at = at or datetime.datetime.now(datetime.UTC)
    excluded = {
        status: count
        for status, count in count_by_status(connection).items()
        if status != "active" and count
    }
    first_reason = (
        sa.select(sa.func.min(ByCodePoint(suppression.c.reason)).label("reason"))
        .select_from(
            subscriber.join(suppression, subscriber.c.address_key == suppression.c.address_key)
        )
        .where(_is_active, IS_FROM_ALL)
        .group_by(subscriber.c.id)
        .subquery()
    )
    by_reason = sa.select(first_reason.c.reason, sa.func.count()).group_by(first_reason.c.reason)
    for reason, count in sorted(connection.execute(by_reason).all()):
        excluded[reason] = excluded.get(reason, 0) + count
    paused = sa.select(sa.func.count()).where(_is_active, _is_paused, ~_is_suppressed)
    if paused_count := connection.scalar(paused, _moment_parameter(at)):
        excluded[PAUSED] = paused_count
    others = {}
    if topic:
        others[opted_out_reason(topic)] = sa.not_(wants_topic(topic))
    if condition is not ALL_SUBSCRIBERS:
        others[OUTSIDE_SEGMENT] = limit_to_topic(sa.not_(condition), topic)
    for reason, is_excluded in others.items():
        if count := count_subscribers(connection, is_excluded, mailable_only=True, at=at):
            excluded[reason] = count
    return excluded


def _moment_parameter(at: datetime.datetime | None) -> dict[str, datetime.datetime]:
    """Return the parameters of a statement that contains ``_moment``."""
    return {"moment": at or datetime.datetime.now(datetime.UTC)}


def _to_recipient(row: Any) -> Recipient:
    id_, address, key, token, name, attributes = row
    values = {"email": address, "name": name}
    if attributes != "{}":
        typed = orjson.loads(attributes)
        values |= {
            attribute: value if type(value) is str else format_value(value)
            for attribute, value in typed.items()
        }
    if not address.isascii():
        # Only the domain may be non-ASCII, and the key contains it in ASCII.
        address = f"{address.partition('@')[0]}@{key.partition('@')[2]}"
    return Recipient(id_, address, key, token, values)
