"""Find a subscriber by token, sign and verify form values.

Whoever has the token from an email's links is treated as its subscriber. A form carries a value
signed for its own purpose, which no other site can make: protection against CSRF.
"""

import datetime
from typing import Any, NamedTuple

import itsdangerous
import sqlalchemy as sa

from newsletter.db.schema import subscriber, suppression
from newsletter.subscribers.topics import IS_FROM_ALL
from newsletter.web.site_context import Site

# A page may stay open for a day before its form is submitted.
FORM_LIFETIME = datetime.timedelta(days=1)


class Visitor(NamedTuple):
    """A subscriber, identified by their token.

    Attributes:
        id: the subscriber's id.
        address: the address as it was entered.
        address_key: the address normalized for comparison.
        name: may be empty.
        status: one of ``STATUSES``.
        token: the secret in the links of all their emails.
        paused_until: until when they have paused their emails; may be in the past.
        suppressed: whether their address is suppressed, whatever their status.
    """

    id: int
    address: str
    address_key: str
    name: str
    status: str
    token: str
    paused_until: datetime.datetime | None
    suppressed: bool

    @property
    def is_mailable(self) -> bool:
        """Whether they are active and not suppressed."""
        return self.status == "active" and not self.suppressed

    @property
    def masked(self) -> str:
        """The masked address: recognizable for its owner only."""
        return mask_address(self.address)


_SELECT_BY_TOKEN = sa.select(
    subscriber.c.id,
    subscriber.c.address,
    subscriber.c.address_key,
    subscriber.c.name,
    subscriber.c.status,
    subscriber.c.token,
    subscriber.c.paused_until,
    sa.exists().where(suppression.c.address_key == subscriber.c.address_key, IS_FROM_ALL),
).where(subscriber.c.token == sa.bindparam("token"))


def find_visitor(connection: sa.Connection, token: str, *, lock: bool = False) -> Visitor | None:
    """Return the subscriber with this token; ``None`` if it is unknown or they were erased.

    Args:
        connection: in a transaction.
        token: the token.
        lock: whether to lock their row, since rows about them are going to be written: an erasure
            or a change of address locks it before it deletes or moves those.
    """
    if "\0" in token:  # PostgreSQL accepts no NUL, not even to compare with
        return None
    query = _SELECT_BY_TOKEN.with_for_update(of=subscriber) if lock else _SELECT_BY_TOKEN
    row = connection.execute(query, {"token": token}).one_or_none()
    return Visitor(*row) if row else None


def mask_address(address: str) -> str:
    """Mask an address: ``ada@example.com`` becomes ``a…@e….com``."""
    local, _, domain = address.rpartition("@")
    name, _, top_level = domain.rpartition(".")
    return f"{local[:1]}…@{name[:1]}….{top_level}"


def sign(site: Site, purpose: str, value: Any) -> str:
    """Return a value signed for the forms of one purpose."""
    signed: str = site.signer(purpose).dumps(value)
    return signed


def unsign(site: Site, purpose: str, signed: str, max_age: datetime.timedelta | None) -> Any:
    """Return a value signed for this purpose; ``None`` if forged or older than ``max_age``."""
    try:
        value, signed_at = site.signer(purpose).loads(signed, return_timestamp=True)
    except itsdangerous.BadData:
        return None
    return None if max_age and site.clock() - signed_at > max_age else value
