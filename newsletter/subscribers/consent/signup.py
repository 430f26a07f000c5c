"""Sign-up and its confirmation (double opt-in).

What a form may do by itself, and what takes the mailbox's owner.

Each function is a part of the caller's transaction, like those of ``changes``.
"""

from typing import Literal

import sqlalchemy as sa

from newsletter.db.schema import subscriber
from newsletter.subscribers.address import ParsedAddress
from newsletter.subscribers.consent.changes import confirm, resubscribe, subscribe
from newsletter.subscribers.consent.erasure import find_erased, lock_list
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.suppressions import load_suppressions
from newsletter.subscribers.consent.transitions import SUPPRESSED_STATUSES

SignupStatus = Literal["new", "pending", "active", "gone"]


def get_signup_status(connection: sa.Connection, key: str) -> SignupStatus:
    """What an address is to the list; ``gone`` if something keeps it out, or it was erased."""
    status = connection.scalar(
        sa.select(subscriber.c.status).where(subscriber.c.address_key == key)
    )
    out = status in SUPPRESSED_STATUSES or load_suppressions(connection, key)
    if out or find_erased(connection, [key]):
        return "gone"
    return "active" if status == "active" else "pending" if status else "new"


def sign_up(
    connection: sa.Connection,
    address: ParsedAddress,
    origin: ChangeOrigin,
    *,
    name: str,
    single_opt_in: bool,
) -> SignupStatus:
    """Somebody has typed an address into a form: it joins, unless it was here before.

    Args:
        connection: in a transaction that writes.
        address: whose.
        origin: the form.
        name: of somebody new.
        single_opt_in: whether the form is enough, as with single opt-in. Not for those who left:
            anybody could bring them back.

    Returns:
        What the address was to the list until now.
    """
    lock_list(connection)
    before = get_signup_status(connection, address.key)
    if before == "new":
        status = "active" if single_opt_in else "pending"
        subscribe(connection, address, status, origin, name=name)
    elif before == "pending" and single_opt_in:
        confirm(connection, address.key, origin)
    return before


def confirm_signup(
    connection: sa.Connection, address: ParsedAddress, origin: ChangeOrigin, *, name: str
) -> SignupStatus:
    """The mailbox's owner says yes; that lifts whatever kept them out.

    Args:
        connection: in a transaction that writes.
        address: whose.
        origin: where they said it, with the wording.
        name: of somebody new.

    Returns:
        What the address was to the list until now; it is ``active`` from now on.
    """
    lock_list(connection)
    before = get_signup_status(connection, address.key)
    if before in {"new", "gone"}:
        resubscribe(connection, address, "pending", origin, name=name)
    if before != "active":
        confirm(connection, address.key, origin)
    return before
