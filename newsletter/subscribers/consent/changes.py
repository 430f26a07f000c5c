"""One change of one subscriber, with its line in the journal.

Besides the import, this is the only way to another status. Each function is a part of the
caller's transaction, which it makes wait for others that change the same subscriber.
"""

import datetime
import secrets
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import insert_new
from newsletter.db.schema import event, notice, subscriber, suppression
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import Address
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import erased_among, let_back, take_turns
from newsletter.subscribers.consent.journal import Origin
from newsletter.subscribers.consent.suppressions import suppressions_of
from newsletter.subscribers.consent.transitions import SUPPRESSED, Change, transition


class Changed(NamedTuple):
    """What became of a subscriber.

    Attributes:
        id: theirs.
        before: their status until now; ``None`` if they are new.
        after: their status from now on.
    """

    id: int
    before: str | None
    after: str


class _Held(NamedTuple):
    """A subscriber whom nobody else can change in this transaction."""

    id: int
    status: str
    soft_bounces: int


def subscribe(
    connection: sa.Connection,
    address: Address,
    status: str,
    origin: Origin,
    *,
    name: str = "",
) -> Changed:
    """Add a subscriber; whoever is in the list already stays as they are.

    Args:
        connection: in a transaction that writes.
        address: whose.
        status: ``pending`` until they confirm, or ``active``.
        origin: when, where from, and what they agreed to.
        name: of a new subscriber; a stranger's form doesn't rename anybody.

    Raises:
        ListError: the address was erased.
    """
    take_turns(connection)
    gone = erased_among(connection, [address.key]).get(address.key)
    if gone:
        raise SubscriberListError(
            f"{address.address} was erased on {gone.date()}, as its owner asked",
            remedy="If they ask to come back, say so: --resubscribe --consent 'where they did'",
        )
    return _enter(connection, address, name, Change("subscribed", status), origin)


def resubscribe(
    connection: sa.Connection,
    address: Address,
    status: str,
    origin: Origin,
    *,
    name: str = "",
) -> Changed:
    """Let somebody in, or back in, by a consent that is stated; lifts what kept them out.

    A pause of somebody who comes back is over.

    Args:
        connection: in a transaction that writes.
        address: whose.
        status: ``pending`` until they confirm, or ``active``.
        origin: with the wording of the consent, or where it was given.
        name: of a new subscriber.

    Raises:
        ListError: no consent is stated.
    """
    if not origin.wording.strip():
        raise SubscriberListError(
            "nobody is brought back without their consent",
            remedy="Say where they gave it: --consent 'by letter, 3 May 2026'",
        )
    take_turns(connection)
    let_back(connection, address.key)
    connection.execute(sa.delete(suppression).where(suppression.c.address_key == address.key))
    return _enter(connection, address, name, Change("resubscribed", status), origin)


def confirm(connection: sa.Connection, key: str, origin: Origin) -> Changed | None:
    """Make a pending subscriber active; like the others, ``None`` if no address has this key."""
    return _happened(connection, key, "confirmed", origin, confirmed_at=origin.at)


def unsubscribe(connection: sa.Connection, key: str, origin: Origin) -> Changed | None:
    """They don't want any more."""
    return _happened(connection, key, "unsubscribed", origin)


def bounce(connection: sa.Connection, key: str, origin: Origin) -> Changed | None:
    """There is no such mailbox."""
    return _happened(connection, key, "bounced", origin)


def complain(connection: sa.Connection, key: str, origin: Origin) -> Changed | None:
    """They have called it spam."""
    return _happened(connection, key, "complained", origin)


# What a report that somebody is gone calls for, by the status that it leads to.
LEAVING = {"bounced": bounce, "unsubscribed": unsubscribe, "complained": complain}


def soft_bounce(
    connection: sa.Connection, key: str, origin: Origin, *, limit: int
) -> Changed | None:
    """A mail did not arrive this time; the last of ``limit`` in a row makes it a bounce."""
    held = _held(connection, key)
    if held is None or held.status in SUPPRESSED:
        return held and Changed(held.id, held.status, held.status)
    count = held.soft_bounces + 1
    _write(connection, held, Change("soft_bounced"), origin, soft_bounces=count)
    if count < limit:
        return Changed(held.id, held.status, held.status)
    return bounce(connection, key, origin._replace(wording=f"soft bounce {count} in a row"))


def delivered(connection: sa.Connection, key: str, origin: Origin) -> Changed | None:
    """A mail has arrived: soft bounces are counted from zero again."""
    held = _held(connection, key)
    if held is None:
        return None
    if held.soft_bounces:
        _write(connection, held, Change("delivered"), origin, soft_bounces=0)
    return Changed(held.id, held.status, held.status)


def move(connection: sa.Connection, key: str, to: Address, origin: Origin) -> Changed | None:
    """Give an active subscriber another address, whose owner has just confirmed it.

    They stay who they are: the id, the journal and the links in the mails they have got. A send
    that was frozen with the old address leaves them out, so that they don't get it twice. The
    journal's word is ``confirmed``: that is what was done with the new address.

    Args:
        connection: in a transaction that writes.
        key: the address until now, as a key.
        to: the address from now on.
        origin: where they asked for it.

    Returns:
        ``None`` if no address has this key.

    Raises:
        ListError: they are not active, or the address is another's, kept out or erased.
    """
    take_turns(connection)
    held = _held(connection, key)
    if held is None:
        return None
    if held.status != "active" or suppressions_of(connection, key):
        raise SubscriberListError(f"{key} gets no mail that could go elsewhere")
    if not free(connection, to.key):
        raise SubscriberListError(f"nobody can move to {to.address}")
    delivered(connection, key, origin._replace(wording=f"a letter came to {to.address}"))
    connection.execute(
        sa.update(event).where(event.c.address_key == key).values(address_key=to.key)
    )
    # Whoever takes the old address gets a welcome of their own.
    connection.execute(
        sa.delete(notice).where(notice.c.address_key == key, notice.c.kind == "welcome")
    )
    moved = origin._replace(wording=f"address changed from {key} to {to.address}")
    return _write(
        connection, held, Change("confirmed"), moved, address=to.address, address_key=to.key
    )


def free(connection: sa.Connection, key: str) -> bool:
    """Whether an address is nobody's, not kept out, and was never erased on request."""
    mine = sa.select(subscriber.c.id).where(subscriber.c.address_key == key)
    # All of it is asked whatever the first says: a reader's page must take as long for any.
    taken = (
        connection.scalar(mine),
        *suppressions_of(connection, key),
        *erased_among(connection, [key]),
    )
    return not any(taken)


def rotate_token(connection: sa.Connection, key: str, now: datetime.datetime) -> bool:
    """Give a subscriber a new token: links in mails they have got stop working."""
    token = secrets.token_urlsafe(16)
    changed = sa.update(subscriber).where(subscriber.c.address_key == key)
    return bool(connection.execute(changed.values(token=token, updated_at=now)).rowcount)


def _enter(
    connection: sa.Connection,
    address: Address,
    name: str,
    change: Change,
    origin: Origin,
) -> Changed:
    made = connection.scalar(
        insert_new(connection, subscriber)
        .values(
            address=address.address,
            address_key=address.key,
            name=name,
            status=change.status,
            attributes={},
            token=secrets.token_urlsafe(16),
            source=f"{origin.how} {origin.source}".strip(),
            joined_at=origin.at,
            updated_at=origin.at,
        )
        .returning(subscriber.c.id)
    )
    if made is not None:
        journal.append(connection, made, origin.line(change.word, change.status))
        return Changed(made, None, change.status)
    held = _held(connection, address.key)
    assert held is not None  # nobody erases while we have the turn
    if transition(held.status, change) == held.status:
        return Changed(held.id, held.status, held.status)
    return _write(connection, held, change, origin, soft_bounces=0, paused_until=None)


def _happened(
    connection: sa.Connection,
    key: str,
    word: str,
    origin: Origin,
    **values: Any,
) -> Changed | None:
    held = _held(connection, key)
    if held is None:
        return None
    if transition(held.status, Change(word)) == held.status:
        return Changed(held.id, held.status, held.status)
    return _write(connection, held, Change(word), origin, **values)


# Made once: when a mail has gone out, many leave within minutes.
_HOLD = (
    sa.select(subscriber.c.id, subscriber.c.status, subscriber.c.soft_bounces)
    .where(subscriber.c.address_key == sa.bindparam("key"))
    .with_for_update()
)
_UPDATE = sa.update(subscriber).where(subscriber.c.id == sa.bindparam("held"))


def _held(connection: sa.Connection, key: str) -> _Held | None:
    row = connection.execute(_HOLD, {"key": key}).one_or_none()
    return _Held(*row) if row else None


def _write(
    connection: sa.Connection,
    held: _Held,
    change: Change,
    origin: Origin,
    **values: Any,
) -> Changed:
    status = transition(held.status, change)
    changed = {"held": held.id, "status": status, "updated_at": origin.at, **values}
    connection.execute(_UPDATE, changed)
    journal.append(connection, held.id, origin.line(change.word, status))
    return Changed(held.id, held.status, status)
