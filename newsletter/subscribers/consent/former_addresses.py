"""Record and find the addresses that a subscriber had before."""

import datetime
import re
from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.schema import transactional_email
from newsletter.subscribers.consent.journal import load_journal

_WORDING = re.compile(r"address changed from (?P<key>\S+) to \S+")


class FormerAddress(NamedTuple):
    """An address that a subscriber has given up.

    Attributes:
        key: its key.
        until: when it was changed; somebody else may have it since.
    """

    key: str
    until: datetime.datetime


def describe_change_of_address(key: str, new_address: str) -> str:
    """Return the wording of the journal entry that ``find_former_addresses`` reads."""
    return f"address changed from {key} to {new_address}"


def find_former_addresses(
    connection: sa.Connection, subscriber_id: int
) -> tuple[FormerAddress, ...]:
    """Return the addresses that a subscriber had, the earliest first."""
    matches = (
        (_WORDING.fullmatch(entry.wording), entry.at)
        for entry in load_journal(connection, subscriber_id)
        if entry.change == "confirmed"
    )
    return tuple(FormerAddress(match["key"], at) for match, at in matches if match)


def their_emails_condition(
    key: str, former_addresses: Collection[FormerAddress]
) -> sa.ColumnElement[bool]:
    """Return the condition on ``transactional_email`` that it was for this subscriber.

    Args:
        key: the key of the subscriber's address.
        former_addresses: those that they had before.
    """
    columns = transactional_email.c
    return sa.or_(
        columns.address_key == key,
        *(
            sa.and_(columns.address_key == former.key, columns.created_at <= former.until)
            for former in former_addresses
        ),
    )
