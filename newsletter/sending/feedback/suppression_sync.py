"""Sync the provider's suppression lists into the list.

Bounces, complaints, unsubscribes.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import setting
from newsletter.sending.providers.sendgrid.suppressions_api import (
    LIST_LABELS,
    ProviderSuppression,
    SuppressionClient,
)
from newsletter.subscribers.consent.delivery_feedback import (
    AppliedReport,
    ProviderReport,
    apply_reports,
)

# The vendor's lists are not exact to the second, and its clock is not ours.
OVERLAP = datetime.timedelta(days=1)
CHUNK_SIZE = 500
# The list -> what it says of an address. Blocks are tried again, so they say nothing.
STATUS_BY_LIST = {
    "bounces": "bounced",
    "invalid_emails": "bounced",
    "unsubscribes": "unsubscribed",
    "group": "unsubscribed",
    "spam_reports": "complained",
}


@dataclass(slots=True)
class SuppressionSyncResult:
    """What one list came to.

    Attributes:
        list_name: the API's; ``group`` for the group's.
        since: from when on it was asked for; ``None`` for all of it.
        fetched_count: entries.
        applied_reports: those that were news.
        blocks: for ``blocks``, its entries.
    """

    list_name: str
    since: datetime.datetime | None
    fetched_count: int = 0
    applied_reports: list[AppliedReport] = field(default_factory=list)
    blocks: list[ProviderSuppression] = field(default_factory=list)


def sync_suppressions(
    engine: sa.Engine,
    lists: SuppressionClient,
    *,
    group: int | None = None,
    since: datetime.datetime | None = None,
    dry_run: bool = False,
) -> Iterator[SuppressionSyncResult]:
    """Fetch every list since its last time, and change whoever is in it.

    Each page is written as it comes; that a list was fetched is written when all of it was, so
    that an interrupted sync is made up for by the next.

    Args:
        engine: the list's database.
        lists: the vendor's.
        group: the unsubscribe group, if there is one.
        since: from when on, instead of the last time.
        dry_run: change nothing.

    Yields:
        Each list, when it is done.

    Raises:
        VendorError: a list can't be had. Those before it are done.
    """
    now = lists.now()
    for name in LIST_LABELS:
        if name == "group" and group is None:
            continue
        before = _load_last_sync(engine, name)
        start = since or (before - OVERLAP if before else None)
        done = SuppressionSyncResult(name, None if name == "group" else start)
        for entries in _fetch_chunks(lists, name, group, start, now):
            done.fetched_count += len(entries)
            if name in STATUS_BY_LIST:
                done.applied_reports += _apply_entries(engine, name, entries, now, dry_run=dry_run)
            else:
                done.blocks += entries
        # After a part only, the rest would never be asked for.
        whole = since is None or (before is not None and since <= before)
        if whole and not dry_run:
            _save_last_sync(engine, name, now)
        yield done


def _fetch_chunks(
    lists: SuppressionClient,
    name: str,
    group: int | None,
    since: datetime.datetime | None,
    until: datetime.datetime,
) -> Iterator[Sequence[ProviderSuppression]]:
    if name != "group":
        yield from lists.iter_pages(name, since, until)
        return
    assert group is not None
    entries = lists.get_group(group)
    for start in range(0, len(entries), CHUNK_SIZE):
        yield entries[start : start + CHUNK_SIZE]


def _apply_entries(
    engine: sa.Engine,
    name: str,
    entries: Sequence[ProviderSuppression],
    now: datetime.datetime,
    *,
    dry_run: bool,
) -> list[AppliedReport]:
    reports = [
        ProviderReport(entry.address, STATUS_BY_LIST[name], entry.at, entry.reason)
        for entry in entries
    ]
    with engine.connect() as connection, connection.begin() as transaction:
        taken = apply_reports(connection, reports, f"SendGrid's {LIST_LABELS[name]}", now)
        if dry_run:
            transaction.rollback()
    return taken


def _load_last_sync(engine: sa.Engine, name: str) -> datetime.datetime | None:
    with read_transaction(engine) as connection:
        found = connection.scalar(sa.select(setting.c.value).where(setting.c.key == f"sync:{name}"))
    return datetime.datetime.fromisoformat(found) if found else None


def _save_last_sync(engine: sa.Engine, name: str, at: datetime.datetime) -> None:
    key, value = f"sync:{name}", at.isoformat()
    with engine.begin() as connection:
        connection.execute(insert_or_ignore(connection, setting).values(key=key, value=value))
        connection.execute(sa.update(setting).where(setting.c.key == key).values(value=value))
