"""Takes over what the vendor reports of addresses: one rule for everybody, many at once."""

import datetime
from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import among, insert_new
from newsletter.db.schema import journal, subscriber, suppression
from newsletter.errors import SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.consent import changes
from newsletter.subscribers.consent.erasure import erased_among, take_turns
from newsletter.subscribers.consent.journal import Origin
from newsletter.subscribers.consent.transitions import SUPPRESSED, Change, transition


class Report(NamedTuple):
    """That an address should not be mailed any more.

    Attributes:
        address: as the vendor wrote it, in capitals or not.
        word: ``bounced``, ``unsubscribed`` or ``complained``.
        at: since when; ``None`` where the vendor doesn't say.
        wording: the vendor's, perhaps ``""``.
    """

    address: str
    word: str
    at: datetime.datetime | None
    wording: str


class Taken(NamedTuple):
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


class _Standing(NamedTuple):
    """What is known of an address; ``returned``: when they last came back by consent."""

    listed: bool
    status: str | None
    returned: datetime.datetime | None = None


def take(
    connection: sa.Connection,
    reports: Sequence[Report],
    source: str,
    now: datetime.datetime,
    how: str = "sync",
) -> list[Taken]:
    """Change whoever a report changes; whom the list doesn't have is kept out of it.

    A report from before somebody's last return to the list is no news. Nor is one about an
    address that was erased: it is kept out already, and must not be written down again. What is
    no address can't get into the list anyway.

    Args:
        connection: in a transaction that writes.
        reports: a few hundred.
        source: whose they are, for the journal.
        now: the time of those that have none.
        how: one of ``newsletter.db.schema.HOWS``, for the journal.
    """
    take_turns(connection)
    keyed = [(key, report) for report in reports if (key := _key(report.address))]
    standings = _standings(connection, {key for key, _ in keyed})
    taken = []
    for key, report in keyed:
        standing = standings.get(key)
        if standing is None:
            continue
        at = report.at or now
        if standing.returned and at <= standing.returned:
            continue
        after = transition(standing.status or "active", Change(report.word))
        if after == standing.status:
            continue
        if standing.listed:
            origin = Origin(at, how, source, report.wording)
            changes.LEAVING[report.word](connection, key, origin)
        else:
            _keep_out(connection, key, after, at, source)
        standings[key] = standing._replace(status=after)
        taken.append(Taken(report.address, standing.listed, standing.status, after, report.wording))
    return taken


def _key(address: str) -> str | None:
    try:
        return parse_address(address).key
    except SubscriberListError:
        return None


def _standings(connection: sa.Connection, keys: Collection[str]) -> dict[str, _Standing]:
    """Of every address that was not erased."""
    returned = (
        sa.select(sa.func.max(journal.c.at))
        .where(journal.c.subscriber_id == subscriber.c.id, journal.c.change == "resubscribed")
        .scalar_subquery()
    )
    listed = sa.select(subscriber.c.address_key, subscriber.c.status, returned)
    standings = {
        key: _Standing(listed=True, status=status, returned=at)
        for key, status, at in connection.execute(
            listed.where(among(connection, subscriber.c.address_key, keys))
        )
    }
    strangers = set(keys) - standings.keys()
    strangers -= erased_among(connection, strangers).keys()
    standings |= dict.fromkeys(strangers, _Standing(listed=False, status=None))
    kept_out = sa.select(suppression.c.address_key, suppression.c.reason).where(
        among(connection, suppression.c.address_key, strangers)
    )
    for key, reason in connection.execute(kept_out):
        status = reason if reason in SUPPRESSED else "unsubscribed"
        standings[key] = _Standing(listed=False, status=status)
    return standings


def _keep_out(
    connection: sa.Connection, key: str, reason: str, since: datetime.datetime, source: str
) -> None:
    values = {"reason": reason, "since": since, "source": source}
    connection.execute(insert_new(connection, suppression).values(address_key=key, **values))
    connection.execute(
        sa.update(suppression).where(suppression.c.address_key == key).values(values)
    )
