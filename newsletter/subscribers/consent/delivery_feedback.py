"""Apply the provider's bounces, unsubscribes and complaints to the list."""

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
from newsletter.subscribers.topics import IS_FROM_ALL


class ProviderReport(NamedTuple):
    """A provider's report that an address should not be mailed any more.

    Attributes:
        address: the address as the provider reports it, in any case.
        kind: ``bounced``, ``unsubscribed`` or ``complained``.
        at: when it happened; ``None`` if the provider doesn't report that.
        wording: the provider's explanation, perhaps ``""``.
    """

    address: str
    kind: str
    at: datetime.datetime | None
    wording: str


class AppliedReport(NamedTuple):
    """A report that changed something.

    Attributes:
        address: the address as the provider reported it.
        listed: whether it is in the list; if not, it is suppressed from now on.
        before: the status before; ``None`` if the address was unknown.
        after: the status after.
        wording: the provider's explanation.
    """

    address: str
    listed: bool
    before: str | None
    after: str
    wording: str


class _AddressStatus(NamedTuple):
    """The status of an address; ``resubscribed_at``: when they last subscribed again."""

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
    """Apply reports to the list; suppress addresses that are not in it.

    Ignores a report from before a subscriber last subscribed again; one about an erased address,
    which can't be added anyway and must not be recorded again; and one whose address is not valid,
    which can't be in the list.

    Args:
        connection: a connection in a writing transaction.
        reports: up to a few hundred reports.
        source: where they come from, for the journal.
        now: the time used for reports without a time.
        method: one of ``newsletter.db.schema.CHANGE_METHODS``, for the journal.

    Returns:
        The reports that changed a status or suppressed an address, in their order.
    """
    lock_list(connection)
    keyed = [(key, report) for report in reports if (key := _parse_key(report.address))]
    statuses = _load_statuses(connection, {key for key, _ in keyed})
    applied = []
    for key, report in keyed:
        known = statuses.get(key)
        if known is None:
            continue
        at = report.at or now
        if known.resubscribed_at and at <= known.resubscribed_at:
            continue
        after = next_status(known.status or "active", StatusChange(report.kind))
        if after == known.status:
            continue
        if known.listed:
            origin = ChangeOrigin(at, method, source, report.wording)
            changes.SUPPRESSION_ACTIONS[report.kind](connection, key, origin)
        else:
            _suppress_address(connection, key, after, at, source)
        statuses[key] = known._replace(status=after)
        applied.append(
            AppliedReport(report.address, known.listed, known.status, after, report.wording)
        )
    return applied


def _parse_key(address: str) -> str | None:
    try:
        return parse_address(address).key
    except SubscriberListError:
        return None


def _load_statuses(connection: sa.Connection, keys: Collection[str]) -> dict[str, _AddressStatus]:
    """Return the status of each address that was not erased."""
    resubscribed_at = (
        sa.select(sa.func.max(journal.c.at))
        .where(journal.c.subscriber_id == subscriber.c.id, journal.c.change == "resubscribed")
        .scalar_subquery()
    )
    listed = sa.select(subscriber.c.address_key, subscriber.c.status, resubscribed_at)
    statuses = {
        key: _AddressStatus(listed=True, status=status, resubscribed_at=at)
        for key, status, at in connection.execute(
            listed.where(column_in(connection, subscriber.c.address_key, keys))
        )
    }
    unlisted = set(keys) - statuses.keys()
    unlisted -= find_erased(connection, unlisted).keys()
    statuses |= dict.fromkeys(unlisted, _AddressStatus(listed=False, status=None))
    suppressed = sa.select(suppression.c.address_key, suppression.c.reason).where(
        column_in(connection, suppression.c.address_key, unlisted),
        IS_FROM_ALL,
    )
    for key, reason in connection.execute(suppressed):
        status = reason if reason in SUPPRESSED_STATUSES else "unsubscribed"
        statuses[key] = _AddressStatus(listed=False, status=status)
    return statuses


def _suppress_address(
    connection: sa.Connection, key: str, reason: str, since: datetime.datetime, source: str
) -> None:
    values = {"reason": reason, "since": since, "source": source}
    connection.execute(insert_or_ignore(connection, suppression).values(address_key=key, **values))
    connection.execute(
        sa.update(suppression).where(suppression.c.address_key == key, IS_FROM_ALL).values(values)
    )
