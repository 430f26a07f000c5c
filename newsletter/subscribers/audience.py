"""Who is mailed, and who is excluded and why.

Reads only.

Whoever has asked for a pause gets nothing until it ends, so every question has a moment: what is
asked in several statements must name the same one in all of them.
"""

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from newsletter.db.schema import STATUSES, UtcDateTime, subscriber, suppression
from newsletter.subscribers.attribute_types import format_value


class Recipient(NamedTuple):
    """A subscriber who may be mailed; a tuple, since a send makes a million of them.

    Attributes:
        id: the subscriber's id, never given twice.
        address: where to send, with the domain in ASCII (RFC 5891).
        address_key: the address as a key: one subscriber each.
        token: the secret in this reader's unsubscribe and preferences links.
        attributes: what merge tags may use: ``email`` and ``name`` (as typed, perhaps ``""``)
            and the editor's own, all text.
    """

    id: int
    address: str
    address_key: str
    token: str
    attributes: Mapping[str, str]


# Rows fetched at once: enough that the round trip doesn't matter, and a few MB.
PAGE_SIZE = 5_000
ALL_SUBSCRIBERS: sa.ColumnElement[bool] = sa.true()
OUTSIDE_SEGMENT = "not in the segment"
PAUSED = "paused"

_is_suppressed = sa.exists().where(suppression.c.address_key == subscriber.c.address_key)
_is_active = subscriber.c.status == "active"
# Of one statement by itself, the moment is now.
_moment = sa.bindparam(
    "moment", type_=UtcDateTime(), callable_=lambda: datetime.datetime.now(datetime.UTC)
)
_is_paused = subscriber.c.paused_until > _moment
MAILABLE = sa.and_(
    _is_active,
    sa.or_(subscriber.c.paused_until.is_(None), subscriber.c.paused_until <= _moment),
    ~_is_suppressed,
)
_recipient_columns = (
    subscriber.c.id,
    subscriber.c.address,
    subscriber.c.address_key,
    subscriber.c.token,
    subscriber.c.name,
    # As text: orjson reads it faster than the drivers' own decoding.
    sa.cast(subscriber.c.attributes, sa.Text),
)
_mailable_query = sa.select(*_recipient_columns).where(MAILABLE).order_by(subscriber.c.id)


def iter_audience(
    connection: sa.Connection,
    *,
    after: int = 0,
    condition: sa.ColumnElement[bool] = ALL_SUBSCRIBERS,
    at: datetime.datetime | None = None,
) -> Iterator[Recipient]:
    """Every active subscriber who isn't paused or suppressed, in the order of their ids.

    Fetches page by page, so that memory stays flat; run it in one ``reading`` transaction (or
    in the one that freezes a send) so that all pages are of one moment.

    Args:
        connection: in a transaction.
        after: leave out ids up to this one.
        condition: a segment's condition.
        at: the moment for which pauses count; now if not given.
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


def select_still_mailable(frozen: sa.Subquery) -> sa.Select[Any]:
    """Ask who of the frozen readers may be mailed at the ``moment``, in the order of their ids.

    The rows are for ``readers_among``. Whoever has another address by now may not: it may be
    another frozen reader's, and nobody gets two.

    Args:
        frozen: with the columns ``subscriber_id`` and ``address_key``.
    """
    still = sa.and_(
        subscriber.c.id == frozen.c.subscriber_id,
        subscriber.c.address_key == frozen.c.address_key,
        MAILABLE,
    )
    return (
        sa.select(frozen.c.subscriber_id, *_recipient_columns[1:])
        .select_from(frozen.outerjoin(subscriber, still))
        .order_by(frozen.c.subscriber_id)
    )


def split_mailable(rows: Sequence[Any], unmailable_ids: list[int]) -> list[Recipient]:
    """The readers in rows of ``still_in_audience`` who may be mailed.

    Args:
        rows: of one batch.
        unmailable_ids: where to put the ids of the others.
    """
    unmailable_ids += [row[0] for row in rows if row[1] is None]
    return [_to_recipient(row) for row in rows if row[1] is not None]


def count_by_status(connection: sa.Connection) -> Mapping[str, int]:
    """How many subscribers there are of every status, in the order of ``STATUSES``."""
    counted = sa.select(subscriber.c.status, sa.func.count()).group_by(subscriber.c.status)
    found: dict[str, int] = dict(connection.execute(counted).all())
    return {status: found.get(status, 0) for status in STATUSES}


def count_subscribers(
    connection: sa.Connection,
    condition: sa.ColumnElement[bool] = ALL_SUBSCRIBERS,
    *,
    mailable_only: bool = False,
    at: datetime.datetime | None = None,
) -> int:
    """How many subscribers there are within a segment.

    Args:
        connection: in a transaction.
        condition: the segment's condition.
        mailable_only: count those alone who would be in its audience.
        at: the moment for which pauses count; now if not given.
    """
    counted = sa.select(sa.func.count()).select_from(subscriber).where(condition)
    if not mailable_only:
        return connection.scalar(counted) or 0
    active = counted.where(_is_active)
    # Few are suppressed or paused: it is quicker to take them off than to ask of everybody.
    suppressed = active.where(subscriber.c.address_key.in_(sa.select(suppression.c.address_key)))
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
    at: datetime.datetime | None = None,
) -> Mapping[str, int]:
    """Who is left out of the audience: reason -> how many, none of them zero.

    A reason is a status, for an active subscriber the suppression's reason or ``PAUSED``, or
    ``OUTSIDE`` for whoever could be mailed but isn't within the segment; with the size of the
    audience at the same moment they add up to the whole list.
    """
    at = at or datetime.datetime.now(datetime.UTC)
    left_out = {
        status: count
        for status, count in count_by_status(connection).items()
        if status != "active" and count
    }
    first_reason = (
        sa.select(sa.func.min(suppression.c.reason).label("reason"))
        .select_from(
            subscriber.join(suppression, subscriber.c.address_key == suppression.c.address_key)
        )
        .where(_is_active)
        .group_by(subscriber.c.id)
        .subquery()
    )
    counted = sa.select(first_reason.c.reason, sa.func.count()).group_by(first_reason.c.reason)
    for reason, count in connection.execute(counted):
        left_out[reason] = left_out.get(reason, 0) + count
    paused = sa.select(sa.func.count()).where(_is_active, _is_paused, ~_is_suppressed)
    if waiting := connection.scalar(paused, _moment_parameter(at)):
        left_out[PAUSED] = waiting
    if condition is not ALL_SUBSCRIBERS and (
        outside := count_subscribers(connection, sa.not_(condition), mailable_only=True, at=at)
    ):
        left_out[OUTSIDE_SEGMENT] = outside
    return left_out


def _moment_parameter(at: datetime.datetime | None) -> dict[str, datetime.datetime]:
    """The parameter of a statement about who may be mailed."""
    return {"moment": at or datetime.datetime.now(datetime.UTC)}


def _to_recipient(row: Any) -> Recipient:
    id_, address, key, token, name, attributes = row
    values = {"email": address, "name": name}
    if attributes != "{}":
        typed = orjson.loads(attributes)
        values |= {
            word: one if type(one) is str else format_value(one) for word, one in typed.items()
        }
    if not address.isascii():
        # Only a domain may be beyond ASCII, and the key holds it encoded.
        address = f"{address.partition('@')[0]}@{key.partition('@')[2]}"
    # What Reader(…) does, in a third of the time: this runs a million times a send.
    return tuple.__new__(Recipient, (id_, address, key, token, values))
