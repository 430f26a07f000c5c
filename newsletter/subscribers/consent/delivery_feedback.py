"""Apply the provider's reports: bounces, complaints, unsubscribes.

One rule for all sources, many addresses at once.
"""

import datetime
from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_or_ignore
from newsletter.db.schema import journal, subscriber, suppression
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import find_erased, lock_list
from newsletter.subscribers.consent.journal import ChangeOrigin
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    StatusChange,
    next_status,
)


class ProviderReport(NamedTuple):
    """That an address should not be mailed any more.

    Attributes:
        address: as the vendor wrote it, in capitals or not.
        kind: ``bounced``, ``unsubscribed`` or ``complained``.
        at: since when; ``None`` where the vendor doesn't say.
        wording: the vendor's, perhaps ``""``.
    """

    address: str
    kind: str
    at: datetime.datetime | None
    wording: str


class AppliedReport(NamedTuple):
    """A report that was news.

    Attributes:
        address: as the vendor wrote it.
        listed: whether they are in the list; if not, they are kept out of it from now on.
        before: their status until now; ``None`` if nothing was known of them.
        after: their status from now on.
        wording: the vendor's.
    """

    address: str
    listed: bool
    before: str | None
    after: str
    wording: str


class _AddressStatus(NamedTuple):
    """What is known of an address; ``returned``: when they last came back by consent."""

    listed: bool
    status: str | None
    resubscribed_at: datetime.datetime | None = None


def apply_reports(
    connection: sa.Connection,
    reports: Sequence[ProviderReport],
    source: str,
    now: datetime.datetime,
    method: str = "sync",
) -> list[AppliedReport]:
    """Change whoever a report changes; whom the list doesn't have is kept out of it.

    A report from before somebody's last return to the list is no news. Nor is one about an
    address that was erased: it is kept out already, and must not be written down again. What is
    no address can't get into the list anyway.

    Args:
        connection: in a transaction that writes.
        reports: a few hundred.
        source: whose they are, for the journal.
        now: the time of those that have none.
        method: one of ``newsletter.db.schema.CHANGE_METHODS``, for the journal.
    """
    lock_list(connection)
    keyed = [(key, report) for report in reports if (key := _parse_key(report.address))]
    standings = _load_statuses(connection, {key for key, _ in keyed})
    taken = []
    for key, report in keyed:
        standing = standings.get(key)
        if standing is None:
            continue
        at = report.at or now
        if standing.resubscribed_at and at <= standing.resubscribed_at:
            continue
        after = next_status(standing.status or "active", StatusChange(report.kind))
        if after == standing.status:
            continue
        if standing.listed:
            origin = ChangeOrigin(at, method, source, report.wording)
            changes.SUPPRESSION_ACTIONS[report.kind](connection, key, origin)
        else:
            _suppress_address(connection, key, after, at, source)
        standings[key] = standing._replace(status=after)
        taken.append(
            AppliedReport(report.address, standing.listed, standing.status, after, report.wording)
        )
    return taken


def _parse_key(address: str) -> str | None:
    try:
        return parse_address(address).key
    except SubscriberListError:
        return None


def _load_statuses(connection: sa.Connection, keys: Collection[str]) -> dict[str, _AddressStatus]:
    """Of every address that was not erased."""
    returned = (
        sa.select(sa.func.max(journal.c.at))
        .where(journal.c.subscriber_id == subscriber.c.id, journal.c.change == "resubscribed")
        .scalar_subquery()
    )
    listed = sa.select(subscriber.c.address_key, subscriber.c.status, returned)
    standings = {
        key: _AddressStatus(listed=True, status=status, resubscribed_at=at)
        for key, status, at in connection.execute(
            listed.where(column_in(connection, subscriber.c.address_key, keys))
        )
    }
    strangers = set(keys) - standings.keys()
    strangers -= find_erased(connection, strangers).keys()
    standings |= dict.fromkeys(strangers, _AddressStatus(listed=False, status=None))
    kept_out = sa.select(suppression.c.address_key, suppression.c.reason).where(
        column_in(connection, suppression.c.address_key, strangers)
    )
    for key, reason in connection.execute(kept_out):
        status = reason if reason in SUPPRESSED_STATUSES else "unsubscribed"
        standings[key] = _AddressStatus(listed=False, status=status)
    return standings


def _suppress_address(
    connection: sa.Connection, key: str, reason: str, since: datetime.datetime, source: str
) -> None:
    values = {"reason": reason, "since": since, "source": source}
    connection.execute(insert_or_ignore(connection, suppression).values(address_key=key, **values))
    connection.execute(
        sa.update(suppression).where(suppression.c.address_key == key).values(values)
    )
