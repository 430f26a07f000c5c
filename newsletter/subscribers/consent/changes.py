"""Subscribe, confirm, unsubscribe, bounce or move one subscriber.

Each change is recorded in the journal. Apart from the import, nothing else changes a status. Each
function runs within the caller's transaction and locks the subscriber's row.
"""

import datetime
import secrets
from collections.abc import Collection
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.config.tracking import TrackedAction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import event, subscriber, suppression, transactional_email
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent import journal
from newsletter.subscribers.consent.erasure import find_erased, forget_erasure, lock_list
from newsletter.subscribers.consent.former_addresses import describe_change_of_address
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.suppressions import load_suppressions
from newsletter.subscribers.consent.tracking_answers import (
    load_tracking_answers,
    record_tracking_answers,
)
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    StatusChange,
    next_status,
)
from newsletter.subscribers.topics import IS_FROM_ALL, move_opt_outs

# Built once: after an issue has been sent, many unsubscribe within minutes.
_LOCK_QUERY = (
    sa.select(subscriber.c.id, subscriber.c.status, subscriber.c.soft_bounces)
    .where(subscriber.c.address_key == sa.bindparam("key"))
    .with_for_update()
)
_UPDATE_STATEMENT = sa.update(subscriber).where(subscriber.c.id == sa.bindparam("locked_id"))


class ChangeResult(NamedTuple):
    """The result of changing a subscriber.

    Attributes:
        id: the subscriber's id.
        before: the status before the change; ``None`` if the subscriber is new.
        after: the status after the change.
    """

    id: int
    before: str | None
    after: str


class _LockedSubscriber(NamedTuple):
    """A subscriber whose row is locked until the transaction ends."""

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
    """Add a subscriber; an existing one is left unchanged.

    Args:
        connection: a connection in a writing transaction.
        address: the subscriber's address.
        status: ``pending`` until they confirm, or ``active``.
        origin: when and how they subscribed, and the wording that they consented to.
        name: the name of a new subscriber; it doesn't rename an existing one, since anybody can
            submit the form with any address.

    Raises:
        SubscriberListError: the address was erased.
    """
    lock_list(connection)
    erased_at = find_erased(connection, [address.key]).get(address.key)
    if erased_at:
        raise SubscriberListError(
            f"{address.address} was erased on {erased_at.date()} at the owner's request",
            remedy="If they ask to be added again, use: --resubscribe --consent 'how they asked'",
        )
    return _add_or_change(connection, address, name, StatusChange("subscribed", status), origin)


def resubscribe(  # noqa: PLR0913 - who, how, and two details
    connection: sa.Connection,
    address: ParsedAddress,
    status: str,
    origin: ChangeOrigin,
    *,
    name: str = "",
    answered: Collection[TrackedAction] = (),
) -> ChangeResult:
    """Add a subscriber again, or for the first time, with explicit consent.

    Removes their suppressions and the record of an erasure, and ends a pause. Topics that they have
    opted out of stay. Who had left and had agreed to be tracked has not agreed again: an earlier
    refusal stays, an earlier yes doesn't.

    Args:
        connection: a connection in a writing transaction.
        address: the subscriber's address.
        status: ``pending`` until they confirm, or ``active``.
        origin: when and how, with the wording of the consent or where it was given.
        name: the name of a new subscriber.
        answered: the questions about tracking that the caller records a new answer to.

    Raises:
        SubscriberListError: ``origin`` states no consent.
    """
    if not origin.wording.strip():
        raise SubscriberListError(
            "subscribers can't be added again without their consent",
            remedy="State how they gave it: --consent 'by letter, 3 May 2026'",
        )
    lock_list(connection)
    forget_erasure(connection, address.key)
    connection.execute(
        sa.delete(suppression).where(suppression.c.address_key == address.key, IS_FROM_ALL)
    )
    result = _add_or_change(connection, address, name, StatusChange("resubscribed", status), origin)
    if result.before in SUPPRESSED_STATUSES:
        earlier = load_tracking_answers(connection, result.id)
        withdrawn = dict.fromkeys(earlier.keys() - {*answered}, False)
        ended = origin._replace(wording="subscribed again, and was not asked again")
        record_tracking_answers(connection, result.id, withdrawn, ended)
    return result


def confirm(connection: sa.Connection, key: str, origin: ChangeOrigin) -> ChangeResult | None:
    """Make a pending subscriber active.

    Like the functions below, returns ``None`` if no subscriber has this address key.
    """
    return _apply_change(connection, key, "confirmed", origin, confirmed_at=origin.at)


def unsubscribe(connection: sa.Connection, key: str, origin: ChangeOrigin) -> ChangeResult | None:
    """Mark the subscriber as unsubscribed."""
    return _apply_change(connection, key, "unsubscribed", origin)


def record_bounce(connection: sa.Connection, key: str, origin: ChangeOrigin) -> ChangeResult | None:
    """Mark the subscriber as bounced: the mailbox does not exist."""
    return _apply_change(connection, key, "bounced", origin)


def record_complaint(
    connection: sa.Connection, key: str, origin: ChangeOrigin
) -> ChangeResult | None:
    """Mark the subscriber as complained: they reported an email as spam."""
    return _apply_change(connection, key, "complained", origin)


# The status that a report leads to -> the function that records it.
SUPPRESSION_ACTIONS = {
    "bounced": record_bounce,
    "unsubscribed": unsubscribe,
    "complained": record_complaint,
}


def record_soft_bounce(
    connection: sa.Connection, key: str, origin: ChangeOrigin, *, max_soft_bounces: int
) -> ChangeResult | None:
    """Count a soft bounce; after ``max_soft_bounces`` in a row mark the subscriber as bounced."""
    locked = _lock_subscriber(connection, key)
    if locked is None or locked.status in SUPPRESSED_STATUSES:
        return locked and ChangeResult(locked.id, locked.status, locked.status)
    count = locked.soft_bounces + 1
    _record_change(connection, locked, StatusChange("soft_bounced"), origin, soft_bounces=count)
    if count < max_soft_bounces:
        return ChangeResult(locked.id, locked.status, locked.status)
    return record_bounce(connection, key, origin._replace(wording=f"soft bounce {count} in a row"))


def record_delivery(
    connection: sa.Connection, key: str, origin: ChangeOrigin
) -> ChangeResult | None:
    """Record that an email was delivered: reset the count of soft bounces."""
    locked = _lock_subscriber(connection, key)
    if locked is None:
        return None
    if locked.soft_bounces:
        _record_change(connection, locked, StatusChange("delivered"), origin, soft_bounces=0)
    return ChangeResult(locked.id, locked.status, locked.status)


def change_address(
    connection: sa.Connection, key: str, new_address: ParsedAddress, origin: ChangeOrigin
) -> ChangeResult | None:
    """Change the address of an active subscriber, after the new address was confirmed.

    The id, the journal and the links in emails they have received stay valid. A send that was
    frozen with the old address skips them, so that nobody gets the issue twice. The journal
    records the change as ``confirmed``, since the new address was confirmed.

    Args:
        connection: a connection in a writing transaction.
        key: the key of the old address.
        new_address: the new address.
        origin: when and how they requested the change.

    Returns:
        ``None`` if no subscriber has this address key.

    Raises:
        SubscriberListError: the subscriber is not active, or the new address is in use,
            suppressed or erased.
    """
    lock_list(connection)
    locked = _lock_subscriber(connection, key)
    if locked is None:
        return None
    if locked.status != "active" or load_suppressions(connection, key):
        raise SubscriberListError(f"{key} is not an active subscriber")
    if not is_address_available(connection, new_address.key):
        raise SubscriberListError(f"the address {new_address.address} is not available")
    record_delivery(
        connection,
        key,
        origin._replace(wording=f"confirmation email delivered to {new_address.address}"),
    )
    connection.execute(
        sa.update(event).where(event.c.address_key == key).values(address_key=new_address.key)
    )
    move_opt_outs(connection, key, new_address.key)
    # A later subscriber with the old address must get a welcome email of their own.
    connection.execute(
        sa.delete(transactional_email).where(
            transactional_email.c.address_key == key, transactional_email.c.kind == "welcome"
        )
    )
    change_origin = origin._replace(wording=describe_change_of_address(key, new_address.address))
    return _record_change(
        connection,
        locked,
        StatusChange("confirmed"),
        change_origin,
        address=new_address.address,
        address_key=new_address.key,
    )


def is_address_available(connection: sa.Connection, key: str) -> bool:
    """Return whether an address is not in the list, not suppressed and not erased."""
    query = sa.select(subscriber.c.id).where(subscriber.c.address_key == key)
    # Always run all queries: the response time must not reveal whether an address is in the list.
    obstacles = (
        connection.scalar(query),
        *load_suppressions(connection, key),
        *find_erased(connection, [key]),
    )
    return not any(obstacles)


def rotate_token(connection: sa.Connection, key: str, now: datetime.datetime) -> bool:
    """Give a subscriber a new token: links in emails they have received stop working.

    Returns whether the subscriber exists.
    """
    token = secrets.token_urlsafe(16)
    update = sa.update(subscriber).where(subscriber.c.address_key == key)
    return bool(connection.execute(update.values(token=token, updated_at=now)).rowcount)


def _add_or_change(
    connection: sa.Connection,
    address: ParsedAddress,
    name: str,
    change: StatusChange,
    origin: ChangeOrigin,
) -> ChangeResult:
    new_id = connection.scalar(
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
    if new_id is not None:
        journal.append_entry(connection, new_id, origin.to_entry(change.kind, change.requested))
        return ChangeResult(new_id, None, change.requested)
    locked = _lock_subscriber(connection, address.key)
    assert locked is not None  # nobody can erase it while this transaction holds the list's lock
    if next_status(locked.status, change) == locked.status:
        return ChangeResult(locked.id, locked.status, locked.status)
    return _record_change(connection, locked, change, origin, soft_bounces=0, paused_until=None)


def _apply_change(
    connection: sa.Connection,
    key: str,
    kind: str,
    origin: ChangeOrigin,
    **values: Any,
) -> ChangeResult | None:
    locked = _lock_subscriber(connection, key)
    if locked is None:
        return None
    if next_status(locked.status, StatusChange(kind)) == locked.status:
        return ChangeResult(locked.id, locked.status, locked.status)
    return _record_change(connection, locked, StatusChange(kind), origin, **values)


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
    parameters = {"locked_id": locked.id, "status": status, "updated_at": origin.at, **values}
    connection.execute(_UPDATE_STATEMENT, parameters)
    journal.append_entry(connection, locked.id, origin.to_entry(change.kind, status))
    return ChangeResult(locked.id, locked.status, status)
