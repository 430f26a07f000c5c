"""Erase a subscriber on request (GDPR, article 17), prevent re-import.

Only a keyed hash of the address is kept: enough to recognize the address if it is added again, not
enough to mail it.
"""

import datetime
import hmac
import secrets
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_or_ignore
from newsletter.db.schema import (
    address_change,
    batch,
    erased,
    event,
    send_recipient,
    setting,
    subscriber,
    suppression,
    transactional_email,
)
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent.former_addresses import (
    FormerAddress,
    find_former_addresses,
    their_emails_condition,
)
from newsletter.subscribers.consent.unreadable_events import delete_mentions

SALT_KEY = "erasure_salt"
# It replaces the reason why they were left out of a send, which may name them.
ERASED_REASON = "the reason was erased"


class ErasureResult(NamedTuple):
    """The result of an erasure.

    Attributes:
        subscriber: whether the address was in the list; journal and tags were deleted with it.
        suppressions: number of suppressions deleted.
        sends: number of sends in which the address was replaced by a pseudonym.
        events: number of provider events in which it was replaced; their type and time are kept.
        unreadable: number of unreadable events that mentioned it, which were deleted.
    """

    subscriber: bool
    suppressions: int
    sends: int
    events: int
    unreadable: int = 0


def erase_address(
    engine: sa.Engine, key: str, now: datetime.datetime, subscriber_id: int | None = None
) -> ErasureResult | None:
    """Erase all records of an address; return ``None`` if there were none.

    Args:
        engine: the engine of the database.
        key: the address as a key.
        now: the time to record.
        subscriber_id: whose address it must be; nothing is erased if it is another's by now.
    """
    with engine.connect() as connection:
        result = _erase_rows(connection, key, now, subscriber_id)
        if result is None:
            connection.rollback()
            return None
        connection.commit()
        if engine.dialect.name == "sqlite":
            _checkpoint_wal(connection)
    return result


def lock_list(connection: sa.Connection) -> None:
    """Lock the list against other additions and erasures until this transaction ends.

    Without the lock, an import could add an address that is erased just after the import has
    checked for it. SQLite needs none: its writers exclude one another.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE erased IN SHARE ROW EXCLUSIVE MODE")


def has_erasures(connection: sa.Connection) -> bool:
    """Return whether any address was ever erased."""
    return connection.scalar(sa.select(erased.c.at).limit(1)) is not None


def find_erased(
    connection: sa.Connection, keys: Collection[str]
) -> Mapping[str, datetime.datetime]:
    """Return which of the address keys were erased, and when."""
    return {key: at for key, _, at in _find_hashes(connection, keys)}


def find_pseudonyms(connection: sa.Connection, keys: Collection[str]) -> Mapping[str, str]:
    """Return which of the address keys were erased, and the pseudonyms that replace them."""
    return {key: _make_pseudonym(hashed) for key, hashed, _ in _find_hashes(connection, keys)}


def forget_erasure(connection: sa.Connection, key: str) -> None:
    """Delete the record of an erasure: the owner has asked to be added again."""
    hashed = hash_address_key(_load_salt(connection), key)
    connection.execute(sa.delete(erased).where(erased.c.address_hash == hashed))


def hash_address_key(salt: bytes, key: str) -> str:
    """Return the HMAC-SHA256 of an address key (RFC 2104)."""
    return hmac.digest(salt, key.encode(), "sha256").hex()


def _erase_rows(
    connection: sa.Connection, key: str, now: datetime.datetime, subscriber_id: int | None
) -> ErasureResult | None:
    lock_list(connection)
    hashed = hash_address_key(_load_salt(connection), key)
    pseudonym = _make_pseudonym(hashed)
    id_ = connection.scalar(
        sa.select(subscriber.c.id).where(subscriber.c.address_key == key).with_for_update()
    )
    if subscriber_id not in {None, id_}:
        return None
    former = find_former_addresses(connection, id_) if id_ is not None else ()
    events = connection.execute(
        sa.update(event)
        .where(sa.or_(event.c.address_key == key, _is_late_event(id_, former)))
        .values(address_key=pseudonym, raw={})
    ).rowcount
    keys = {key, *(address.key for address in former)}
    sends = _pseudonymize_sends(connection, keys, pseudonym, id_)
    suppressions = connection.execute(
        sa.delete(suppression).where(suppression.c.address_key == key)
    ).rowcount
    connection.execute(
        sa.delete(transactional_email).where(
            sa.or_(their_emails_condition(key, former), _is_to_requested_address(id_))
        )
    )
    _delete_requested_changes(connection, key, former)
    connection.execute(sa.delete(subscriber).where(subscriber.c.address_key == key))
    unreadable = sum(delete_mentions(connection, mentioned) for mentioned in keys)
    result = ErasureResult(id_ is not None, suppressions, sends, events, unreadable)
    if not any(result):
        return None
    connection.execute(insert_or_ignore(connection, erased).values(address_hash=hashed, at=now))
    return result


def _find_hashes(
    connection: sa.Connection, keys: Collection[str]
) -> list[tuple[str, str, datetime.datetime]]:
    """Return the key, the hash and the time of erasure of each address that was erased."""
    if not has_erasures(connection):
        return []
    salt = _load_salt(connection)
    by_hash = {hash_address_key(salt, key): key for key in keys}
    query = sa.select(erased).where(column_in(connection, erased.c.address_hash, by_hash))
    return [(by_hash[hashed], hashed, at) for hashed, at in connection.execute(query)]


def _make_pseudonym(hashed: str) -> str:
    """Return the pseudonym for rows that must be kept; it is as unique as the address was."""
    return f"erased:{hashed}"


def _is_to_requested_address(id_: int | None) -> sa.ColumnElement[bool]:
    """Return the condition that an email asks a subscriber's new address for its confirmation."""
    requested = sa.select(address_change.c.address_key).where(address_change.c.subscriber_id == id_)
    return sa.and_(
        transactional_email.c.kind == "move_to", transactional_email.c.address_key.in_(requested)
    )


def _delete_requested_changes(
    connection: sa.Connection, key: str, former_addresses: Collection[FormerAddress]
) -> None:
    """Delete other subscribers' requests to change to this address, and the emails that name it.

    Nobody can change to an address that was erased.
    """
    columns = address_change.c
    theirs = (
        columns.address_key == key,
        *(
            sa.and_(columns.address_key == former.key, columns.requested_at <= former.until)
            for former in former_addresses
        ),
    )
    connection.execute(sa.delete(address_change).where(sa.or_(*theirs)))
    keys = {key, *(former.key for former in former_addresses)}
    query = sa.select(transactional_email.c.id, transactional_email.c.data)
    is_about_change = transactional_email.c.kind.in_(("move_from", "move_to"))
    ids = [
        id_
        for id_, data in connection.execute(query.where(is_about_change))
        if _parse_key(data.get("address", "")) in keys
    ]
    named = column_in(connection, transactional_email.c.id, ids)
    connection.execute(sa.delete(transactional_email).where(named))


def _parse_key(address: str) -> str:
    """Return the key of an address; empty if it is masked or not valid."""
    try:
        return parse_address(address).key
    except SubscriberListError:
        return ""


def _is_late_event(
    id_: int | None, former_addresses: Collection[FormerAddress]
) -> sa.ColumnElement[bool]:
    """Return the condition that an event is about an email to a former address of a subscriber.

    The events until the change of address have followed it to the new one.
    """
    keys = {address.key for address in former_addresses}
    received = sa.exists().where(
        send_recipient.c.send_id == event.c.send_id,
        send_recipient.c.subscriber_id == id_,
        send_recipient.c.address_key == event.c.address_key,
    )
    return sa.and_(event.c.address_key.in_(keys), received.correlate(event))


def _pseudonymize_sends(
    connection: sa.Connection, keys: Collection[str], pseudonym: str, id_: int | None
) -> int:
    """Replace the addresses in all sends, also in the provider's messages; return how many."""
    if id_ is None:
        return 0
    is_theirs = send_recipient.c.subscriber_id == id_
    batches = sa.select(send_recipient.c.batch_id).where(is_theirs)
    errors = sa.select(batch.c.id, batch.c.error).where(batch.c.id.in_(batches))
    naming_them = [
        batch_id
        for batch_id, error in connection.execute(errors.where(batch.c.error != ""))
        if any(key in error.casefold() for key in keys)
    ]
    connection.execute(
        sa.update(batch).where(column_in(connection, batch.c.id, naming_them)).values(error="")
    )
    update = sa.update(send_recipient).where(is_theirs)
    error = sa.case((send_recipient.c.error != "", ERASED_REASON), else_="")
    # Erased before, joined again, and sent the same issue in a catch-up: the pseudonym is taken.
    repeated = _find_sends_with_pseudonym(connection, id_, pseudonym)
    for send_id in repeated:
        distinct = {"address_key": f"{pseudonym}:{send_id}"}
        is_repeated = send_recipient.c.send_id == send_id
        connection.execute(update.where(is_repeated).values(distinct | {"error": error}))
        is_theirs_there = sa.and_(event.c.send_id == send_id, event.c.address_key == pseudonym)
        connection.execute(sa.update(event).where(is_theirs_there).values(distinct))
    is_first = send_recipient.c.send_id.not_in(repeated)
    first = connection.execute(
        update.where(is_first).values(address_key=pseudonym, error=error)
    ).rowcount
    return first + len(repeated)


def _find_sends_with_pseudonym(
    connection: sa.Connection, id_: int, pseudonym: str
) -> Sequence[int]:
    """Return a subscriber's sends of whose issue another recipient has the pseudonym."""
    other = send_recipient.alias()
    is_taken = sa.exists().where(
        other.c.root_id == send_recipient.c.root_id,
        other.c.address_key == pseudonym,
        other.c.subscriber_id != id_,
    )
    query = sa.select(send_recipient.c.send_id)
    return connection.scalars(query.where(send_recipient.c.subscriber_id == id_, is_taken)).all()


def _load_salt(connection: sa.Connection) -> bytes:
    """Return the database's salt, generated on first use.

    Whoever has the hashes without it can't test them for known addresses.
    """
    query = sa.select(setting.c.value).where(setting.c.key == SALT_KEY)
    salt = connection.scalar(query)
    if salt is None:
        row = {"key": SALT_KEY, "value": secrets.token_hex(32)}
        connection.execute(insert_or_ignore(connection, setting).values(row))
        salt = connection.execute(query).scalar_one()
    return bytes.fromhex(salt)


def _checkpoint_wal(connection: sa.Connection) -> None:
    """Move the write-ahead log into the database file, so that it keeps no erased data.

    If another connection is reading, the log stays until the last connection is closed.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # must run outside of a transaction
