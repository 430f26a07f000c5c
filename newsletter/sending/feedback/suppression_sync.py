"""Sync the provider's suppression lists into the subscriber list.

Bounces, invalid addresses, spam reports, unsubscribes; blocks are only reported.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import setting
from newsletter.sending.providers.registry import get_facts
from newsletter.sending.providers.suppressions import (
    ProviderSuppression,
    SuppressionList,
    SuppressionSource,
)
from newsletter.subscribers.consent.delivery_feedback import (
    AppliedReport,
    ProviderReport,
    apply_reports,
)

# The provider's lists are not exact to the second, and the clocks may differ.
OVERLAP = datetime.timedelta(days=1)


@dataclass(slots=True)
class SuppressionSyncResult:
    """The result of syncing one list.

    Attributes:
        list_name: its name in the API.
        label: its name in messages.
        since: the start of the period that was fetched; ``None`` for the whole list.
        fetched_count: how many entries were fetched.
        applied_reports: the entries that changed a subscriber.
        blocks: the entries of a list that changes no status.
    """

    list_name: str
    label: str
    since: datetime.datetime | None
    fetched_count: int = 0
    applied_reports: list[AppliedReport] = field(default_factory=list)
    blocks: list[ProviderSuppression] = field(default_factory=list)


def sync_suppressions(
    engine: sa.Engine,
    lists: SuppressionSource,
    *,
    since: datetime.datetime | None = None,
    dry_run: bool = False,
) -> Iterator[SuppressionSyncResult]:
    """Fetch every list since its last sync, and update the subscribers in it.

    Each page is applied as it is fetched; the time of the sync is stored once a list is complete,
    so that the next sync repeats an interrupted one.

    Args:
        engine: the list's database.
        lists: the provider's lists.
        since: the start of the period to fetch, instead of the last sync.
        dry_run: whether to change nothing.

    Yields:
        The result of each list, once it is complete.

    Raises:
        ProviderError: a list could not be fetched. Those before it are complete.
    """
    now = lists.now()
    for found in lists.lists:
        last_sync = _load_last_sync(engine, found.name)
        start = since or (last_sync - OVERLAP if last_sync else None)
        result = SuppressionSyncResult(found.name, found.label, start if found.has_dates else None)
        for entries in lists.iter_pages(found.name, start, now):
            result.fetched_count += len(entries)
            if found.status:
                result.applied_reports += _apply_entries(
                    engine, found, entries, now, dry_run=dry_run
                )
            else:
                result.blocks += entries
        # If the period between the last sync and ``since`` was not fetched, the next sync must
        # fetch it: keep the time of the last sync.
        is_gapless = since is None or (last_sync is not None and since <= last_sync)
        if is_gapless and not dry_run:
            _save_last_sync(engine, found.name, now)
        yield result


def _apply_entries(
    engine: sa.Engine,
    suppression_list: SuppressionList,
    entries: Sequence[ProviderSuppression],
    now: datetime.datetime,
    *,
    dry_run: bool,
) -> list[AppliedReport]:
    reports = [
        ProviderReport(entry.address, suppression_list.status, entry.at, entry.reason)
        for entry in entries
    ]
    source = f"{get_facts().name}'s {suppression_list.label}"
    with engine.connect() as connection, connection.begin() as transaction:
        applied = apply_reports(connection, reports, source, now)
        if dry_run:
            transaction.rollback()
    return applied


def _load_last_sync(engine: sa.Engine, name: str) -> datetime.datetime | None:
    with read_transaction(engine) as connection:
        value = connection.scalar(sa.select(setting.c.value).where(setting.c.key == f"sync:{name}"))
    return datetime.datetime.fromisoformat(value) if value else None


def _save_last_sync(engine: sa.Engine, name: str, at: datetime.datetime) -> None:
    key, value = f"sync:{name}", at.isoformat()
    with engine.begin() as connection:
        connection.execute(insert_or_ignore(connection, setting).values(key=key, value=value))
        connection.execute(sa.update(setting).where(setting.c.key == key).values(value=value))
