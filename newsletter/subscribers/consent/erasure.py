"""Erase a subscriber on request (GDPR, article 17).

And keep them from coming back by accident.

What is left is a salted hash of the address: enough to know it again, not enough to mail it.
"""

import datetime
import hmac
import secrets
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_or_ignore
from newsletter.db.schema import (
    batch,
    erased,
    event,
    send_recipient,
    setting,
    subscriber,
    suppression,
    transactional_email,
)

SALT_KEY = "erasure_salt"


class ErasureResult(NamedTuple):
    """What was erased.

    Attributes:
        subscriber: whether they were in the list; their journal and tags went along.
        suppressions: rows of the suppression list.
        sends: how many sends no longer know the address.
        events: what the vendor had reported of them; type and time are left.
    """

    subscriber: bool
    suppressions: int
    sends: int
    events: int


def erase_address(engine: sa.Engine, key: str, now: datetime.datetime) -> ErasureResult | None:
    """Erase all that is known of an address; ``None`` if nothing was.

    Args:
        engine: the list's database.
        key: the address as a key.
        now: the time to record.
    """
    with engine.connect() as connection:
        found = _erase_rows(connection, key, now)
        if found is None:
            connection.rollback()
            return None
        connection.commit()
        if engine.dialect.name == "sqlite":
            _checkpoint_wal(connection)
    return found


def lock_list(connection: sa.Connection) -> None:
    """Let nobody else add or erase before this transaction ends.

    Without it, an import that has just looked at the erased could add one of them.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("LOCK TABLE erased IN SHARE ROW EXCLUSIVE MODE")


def find_erased(
    connection: sa.Connection, keys: Collection[str]
) -> Mapping[str, datetime.datetime]:
    """Those of the addresses (as keys) that were erased, and when."""
    return {key: at for key, _, at in _find_hashes(connection, keys)}


def find_pseudonyms(connection: sa.Connection, keys: Collection[str]) -> Mapping[str, str]:
    """Those of the addresses (as keys) that were erased, and what is written in their place."""
    return {key: _make_pseudonym(hashed) for key, hashed, _ in _find_hashes(connection, keys)}


def forget_erasure(connection: sa.Connection, key: str) -> None:
    """Forget that an address was erased: its owner has asked to come back."""
    hashed = _hash_key(_load_salt(connection), key)
    connection.execute(sa.delete(erased).where(erased.c.address_hash == hashed))


def _erase_rows(
    connection: sa.Connection, key: str, now: datetime.datetime
) -> ErasureResult | None:
    lock_list(connection)
    hashed = _hash_key(_load_salt(connection), key)
    stand_in = _make_pseudonym(hashed)
    id_ = connection.scalar(
        sa.select(subscriber.c.id).where(subscriber.c.address_key == key).with_for_update()
    )
    sends = _pseudonymize_sends(connection, key, stand_in, id_)
    events = connection.execute(
        sa.update(event).where(event.c.address_key == key).values(address_key=stand_in, raw={})
    ).rowcount
    suppressions = connection.execute(
        sa.delete(suppression).where(suppression.c.address_key == key)
    ).rowcount
    connection.execute(
        sa.delete(transactional_email).where(transactional_email.c.address_key == key)
    )
    connection.execute(sa.delete(subscriber).where(subscriber.c.address_key == key))
    found = ErasureResult(id_ is not None, suppressions, sends, events)
    if not any(found):
        return None
    connection.execute(insert_or_ignore(connection, erased).values(address_hash=hashed, at=now))
    return found


def _find_hashes(
    connection: sa.Connection, keys: Collection[str]
) -> list[tuple[str, str, datetime.datetime]]:
    """Key, hash and time of those that were erased."""
    if connection.scalar(sa.select(erased.c.at).limit(1)) is None:
        return []
    salt = _load_salt(connection)
    by_hash = {_hash_key(salt, key): key for key in keys}
    found = sa.select(erased).where(column_in(connection, erased.c.address_hash, by_hash))
    return [(by_hash[hashed], hashed, at) for hashed, at in connection.execute(found)]


def _make_pseudonym(hashed: str) -> str:
    """What stands for an address where a row must stay: as unique as the address was."""
    return f"erased:{hashed}"


def _pseudonymize_sends(
    connection: sa.Connection, key: str, pseudonym: str, id_: int | None
) -> int:
    """The vendor's words about a reader may name the address too."""
    if id_ is None:
        return 0
    mine = send_recipient.c.subscriber_id == id_
    batches = sa.select(send_recipient.c.batch_id).where(mine)
    connection.execute(
        sa.update(batch)
        .where(batch.c.id.in_(batches), batch.c.error.icontains(key, autoescape=True))
        .values(error="")
    )
    changed = sa.update(send_recipient).where(mine).values(address_key=pseudonym, error="")
    return connection.execute(changed).rowcount


def _load_salt(connection: sa.Connection) -> bytes:
    """The database's own, made on first use; a dump of hashes alone can't be searched."""
    found = sa.select(setting.c.value).where(setting.c.key == SALT_KEY)
    salt = connection.scalar(found)
    if salt is None:
        made = {"key": SALT_KEY, "value": secrets.token_hex(32)}
        connection.execute(insert_or_ignore(connection, setting).values(made))
        salt = connection.execute(found).scalar_one()
    return bytes.fromhex(salt)


def _hash_key(salt: bytes, key: str) -> str:
    """HMAC-SHA256 (RFC 2104)."""
    return hmac.digest(salt, key.encode(), "sha256").hex()


def _checkpoint_wal(connection: sa.Connection) -> None:
    """Move the write-ahead log into the file; if somebody reads just now, the next close will."""
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # outside of any transaction
