"""Change one subscriber's status, with its journal entry.

Besides the import, this is the only way to another status. Each function is a part of the
caller's transaction, which it makes wait for others that change the same subscriber.
"""

import datetime
import secrets
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import event, subscriber, suppression, transactional_email
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import find_erased, forget_erasure, lock_list
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.suppressions import load_suppressions
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    StatusChange,
    next_status,
)


class ChangeResult(NamedTuple):
    """What became of a subscriber.

    Attributes:
        id: theirs.
        before: their status until now; ``None`` if they are new.
        after: their status from now on.
    """

    id: int
    before: str | None
    after: str


class _LockedSubscriber(NamedTuple):
    """A subscriber whom nobody else can change in this transaction."""

    id: int
    status: str
    soft_bounces: int


def subscribe(
    connection: sa.Connection,
    address: ParsedAddress,
    status: str,
    origin: ChangeOrigin,
    *,
    name: str = "",
) -> ChangeResult:
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
    lock_list(connection)
    gone = find_erased(connection, [address.key]).get(address.key)
    if gone:
        raise SubscriberListError(
            f"{address.address} was erased on {gone.date()}, as its owner asked",
            remedy="If they ask to come back, say so: --resubscribe --consent 'where they did'",
        )
    return _add_or_change(connection, address, name, StatusChange("subscribed", status), origin)


def resubscribe(
    connection: sa.Connection,
    address: ParsedAddress,
    status: str,
    origin: ChangeOrigin,
    *,
    name: str = "",
) -> ChangeResult:
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
    lock_list(connection)
    forget_erasure(connection, address.key)
    connection.execute(sa.delete(suppression).where(suppression.c.address_key == address.key))
    return _add_or_change(connection, address, name, StatusChange("resubscribed", status), origin)


def confirm(connection: sa.Connection, key: str, origin: ChangeOrigin) -> ChangeResult | None:
    """Make a pending subscriber active; like the others, ``None`` if no address has this key."""
    return _apply_change(connection, key, "confirmed", origin, confirmed_at=origin.at)


def unsubscribe(connection: sa.Connection, key: str, origin: ChangeOrigin) -> ChangeResult | None:
    """They don't want any more."""
    return _apply_change(connection, key, "unsubscribed", origin)


def record_bounce(connection: sa.Connection, key: str, origin: ChangeOrigin) -> ChangeResult | None:
    """There is no such mailbox."""
    return _apply_change(connection, key, "bounced", origin)


def record_complaint(
    connection: sa.Connection, key: str, origin: ChangeOrigin
) -> ChangeResult | None:
    """They have called it spam."""
    return _apply_change(connection, key, "complained", origin)


# What a report that somebody is gone calls for, by the status that it leads to.
SUPPRESSION_ACTIONS = {
    "bounced": record_bounce,
    "unsubscribed": unsubscribe,
    "complained": record_complaint,
}


def record_soft_bounce(
    connection: sa.Connection, key: str, origin: ChangeOrigin, *, max_soft_bounces: int
) -> ChangeResult | None:
    """A mail did not arrive this time; the last of ``limit`` in a row makes it a bounce."""
    held = _lock_subscriber(connection, key)
    if held is None or held.status in SUPPRESSED_STATUSES:
        return held and ChangeResult(held.id, held.status, held.status)
    count = held.soft_bounces + 1
    _record_change(connection, held, StatusChange("soft_bounced"), origin, soft_bounces=count)
    if count < max_soft_bounces:
        return ChangeResult(held.id, held.status, held.status)
    return record_bounce(connection, key, origin._replace(wording=f"soft bounce {count} in a row"))


def record_delivery(
    connection: sa.Connection, key: str, origin: ChangeOrigin
) -> ChangeResult | None:
    """A mail has arrived: soft bounces are counted from zero again."""
    held = _lock_subscriber(connection, key)
    if held is None:
        return None
    if held.soft_bounces:
        _record_change(connection, held, StatusChange("delivered"), origin, soft_bounces=0)
    return ChangeResult(held.id, held.status, held.status)


def change_address(
    connection: sa.Connection, key: str, new_address: ParsedAddress, origin: ChangeOrigin
) -> ChangeResult | None:
    """Give an active subscriber another address, whose owner has just confirmed it.

    They stay who they are: the id, the journal and the links in the mails they have got. A send
    that was frozen with the old address leaves them out, so that they don't get it twice. The
    journal's word is ``confirmed``: that is what was done with the new address.

    Args:
        connection: in a transaction that writes.
        key: the address until now, as a key.
        new_address: the address from now on.
        origin: where they asked for it.

    Returns:
        ``None`` if no address has this key.

    Raises:
        ListError: they are not active, or the address is another's, kept out or erased.
    """
    lock_list(connection)
    held = _lock_subscriber(connection, key)
    if held is None:
        return None
    if held.status != "active" or load_suppressions(connection, key):
        raise SubscriberListError(f"{key} gets no mail that could go elsewhere")
    if not is_address_available(connection, new_address.key):
        raise SubscriberListError(f"nobody can move to {new_address.address}")
    record_delivery(
        connection, key, origin._replace(wording=f"a letter came to {new_address.address}")
    )
    connection.execute(
        sa.update(event).where(event.c.address_key == key).values(address_key=new_address.key)
    )
    # Whoever takes the old address gets a welcome of their own.
    connection.execute(
        sa.delete(transactional_email).where(
            transactional_email.c.address_key == key, transactional_email.c.kind == "welcome"
        )
    )
    moved = origin._replace(wording=f"address changed from {key} to {new_address.address}")
    return _record_change(
        connection,
        held,
        StatusChange("confirmed"),
        moved,
        address=new_address.address,
        address_key=new_address.key,
    )


def is_address_available(connection: sa.Connection, key: str) -> bool:
    """Whether an address is nobody's, not kept out, and was never erased on request."""
    mine = sa.select(subscriber.c.id).where(subscriber.c.address_key == key)
    # All of it is asked whatever the first says: a reader's page must take as long for any.
    taken = (
        connection.scalar(mine),
        *load_suppressions(connection, key),
        *find_erased(connection, [key]),
    )
    return not any(taken)


def rotate_token(connection: sa.Connection, key: str, now: datetime.datetime) -> bool:
    """Give a subscriber a new token: links in mails they have got stop working."""
    token = secrets.token_urlsafe(16)
    changed = sa.update(subscriber).where(subscriber.c.address_key == key)
    return bool(connection.execute(changed.values(token=token, updated_at=now)).rowcount)


def _add_or_change(
    connection: sa.Connection,
    address: ParsedAddress,
    name: str,
    change: StatusChange,
    origin: ChangeOrigin,
) -> ChangeResult:
    made = connection.scalar(
        insert_or_ignore(connection, subscriber)
        .values(
            address=address.address,
            address_key=address.key,
            name=name,
            status=change.requested,
            attributes={},
            token=secrets.token_urlsafe(16),
            source=f"{origin.method} {origin.source}".strip(),
            joined_at=origin.at,
            updated_at=origin.at,
        )
        .returning(subscriber.c.id)
    )
    if made is not None:
        journal.append_entry(connection, made, origin.to_entry(change.kind, change.requested))
        return ChangeResult(made, None, change.requested)
    held = _lock_subscriber(connection, address.key)
    assert held is not None  # nobody erases while we have the turn
    if next_status(held.status, change) == held.status:
        return ChangeResult(held.id, held.status, held.status)
    return _record_change(connection, held, change, origin, soft_bounces=0, paused_until=None)


def _apply_change(
    connection: sa.Connection,
    key: str,
    kind: str,
    origin: ChangeOrigin,
    **values: Any,
) -> ChangeResult | None:
    held = _lock_subscriber(connection, key)
    if held is None:
        return None
    if next_status(held.status, StatusChange(kind)) == held.status:
        return ChangeResult(held.id, held.status, held.status)
    return _record_change(connection, held, StatusChange(kind), origin, **values)


# Made once: when a mail has gone out, many leave within minutes.
_LOCK_QUERY = (
    sa.select(subscriber.c.id, subscriber.c.status, subscriber.c.soft_bounces)
    .where(subscriber.c.address_key == sa.bindparam("key"))
    .with_for_update()
)
_UPDATE_STATEMENT = sa.update(subscriber).where(subscriber.c.id == sa.bindparam("held"))


def _lock_subscriber(connection: sa.Connection, key: str) -> _LockedSubscriber | None:
    row = connection.execute(_LOCK_QUERY, {"key": key}).one_or_none()
    return _LockedSubscriber(*row) if row else None


def _record_change(
    connection: sa.Connection,
    locked: _LockedSubscriber,
    change: StatusChange,
    origin: ChangeOrigin,
    **values: Any,
) -> ChangeResult:
    status = next_status(locked.status, change)
    changed = {"held": locked.id, "status": status, "updated_at": origin.at, **values}
    connection.execute(_UPDATE_STATEMENT, changed)
    journal.append_entry(connection, locked.id, origin.to_entry(change.kind, status))
    return ChangeResult(locked.id, locked.status, status)
