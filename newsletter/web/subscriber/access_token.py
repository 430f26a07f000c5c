"""Who comes with the token of their mail's links, and what the forms on their pages carry.

A token is the key: whoever has it is the reader. A form carries the token's signature for its own
purpose, which no other site can make, so that a page elsewhere can't press its buttons.
"""

import datetime
from typing import Any, NamedTuple

import itsdangerous
import sqlalchemy as sa

from newsletter.db.schema import subscriber, suppression
from newsletter.web.site_context import Site

# A page may lie open for a day.
FORM_LIFETIME = datetime.timedelta(days=1)


class Visitor(NamedTuple):
    """A subscriber, known by their token.

    Attributes:
        id: theirs.
        address: as typed.
        address_key: as a key.
        name: perhaps ``""``.
        status: one of ``STATUSES``.
        token: in the links of all their mails.
        paused_until: until when they get nothing, as they asked; perhaps over.
        suppressed: whether their address is kept out, whatever their status.
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
        """Whether they are on the list, and nothing keeps them out."""
        return self.status == "active" and not self.suppressed

    @property
    def masked(self) -> str:
        """Their address so that they know it, and nobody else."""
        return mask_address(self.address)


_SELECT_BY_TOKEN = sa.select(
    subscriber.c.id,
    subscriber.c.address,
    subscriber.c.address_key,
    subscriber.c.name,
    subscriber.c.status,
    subscriber.c.token,
    subscriber.c.paused_until,
    sa.exists().where(suppression.c.address_key == subscriber.c.address_key),
).where(subscriber.c.token == sa.bindparam("token"))


def find_visitor(connection: sa.Connection, token: str) -> Visitor | None:
    """Whose token it is; ``None`` if nobody's, or somebody's who was erased."""
    row = connection.execute(_SELECT_BY_TOKEN, {"token": token}).one_or_none()
    return Visitor(*row) if row else None


def mask_address(address: str) -> str:
    """``ada@example.com`` is ``a…@e….com``."""
    local, _, domain = address.rpartition("@")
    name, _, last = domain.rpartition(".")
    return f"{local[:1]}…@{name[:1]}….{last}"


def sign(site: Site, purpose: str, value: Any) -> str:
    """What a form of one purpose carries."""
    signed: str = site.signer(purpose).dumps(value)
    return signed


def unsign(site: Site, purpose: str, signed: str, max_age: datetime.timedelta | None) -> Any:
    """What was signed for the purpose; ``None`` if it wasn't, or longer ago than ``within``."""
    try:
        value, made = site.signer(purpose).loads(signed, return_timestamp=True)
    except itsdangerous.BadData:
        return None
    return None if max_age and site.clock() - made > max_age else value
