"""Sync the provider's suppression lists into the subscriber list.

Bounces, invalid addresses, spam reports, unsubscribes; blocks are only reported.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.stored_settings import read_setting, write_setting
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

# Of settings: when each of the provider's lists was last fetched.
SYNC_KEY_PREFIX = "sync:"
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
        with read_transaction(engine) as connection:
            value = read_setting(connection, SYNC_KEY_PREFIX + found.name)
        last_sync = datetime.datetime.fromisoformat(value) if value else None
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
            with engine.begin() as connection:
                write_setting(connection, SYNC_KEY_PREFIX + found.name, now.isoformat())
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
