"""Brings what SendGrid knows of addresses into the list: bounces, complaints, unsubscribes."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from newsletter.db import reading
from newsletter.db.bulk import insert_new
from newsletter.db.schema import meta
from newsletter.sending.providers.sendgrid.suppressions_api import NAMES, Lists, Suppressed
from newsletter.subscribers.consent.delivery_feedback import Report, Taken, take

# The vendor's lists are not exact to the second, and its clock is not ours.
OVERLAP = datetime.timedelta(days=1)
CHUNK = 500
# The list -> what it says of an address. Blocks are tried again, so they say nothing.
WORDS = {
    "bounces": "bounced",
    "invalid_emails": "bounced",
    "unsubscribes": "unsubscribed",
    "group": "unsubscribed",
    "spam_reports": "complained",
}


@dataclass(slots=True)
class Synced:
    """What one list came to.

    Attributes:
        name: the API's; ``group`` for the group's.
        since: from when on it was asked for; ``None`` for all of it.
        fetched: entries.
        taken: those that were news.
        blocks: for ``blocks``, its entries.
    """

    name: str
    since: datetime.datetime | None
    fetched: int = 0
    taken: list[Taken] = field(default_factory=list)
    blocks: list[Suppressed] = field(default_factory=list)


def sync(
    engine: sa.Engine,
    lists: Lists,
    *,
    group: int | None = None,
    since: datetime.datetime | None = None,
    dry_run: bool = False,
) -> Iterator[Synced]:
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
    for name in NAMES:
        if name == "group" and group is None:
            continue
        before = _last(engine, name)
        start = since or (before - OVERLAP if before else None)
        done = Synced(name, None if name == "group" else start)
        for entries in _chunks(lists, name, group, start, now):
            done.fetched += len(entries)
            if name in WORDS:
                done.taken += _take(engine, name, entries, now, dry_run=dry_run)
            else:
                done.blocks += entries
        # After a part only, the rest would never be asked for.
        whole = since is None or (before is not None and since <= before)
        if whole and not dry_run:
            _remember(engine, name, now)
        yield done


def _chunks(
    lists: Lists,
    name: str,
    group: int | None,
    since: datetime.datetime | None,
    until: datetime.datetime,
) -> Iterator[Sequence[Suppressed]]:
    if name != "group":
        yield from lists.pages(name, since, until)
        return
    assert group is not None
    entries = lists.group(group)
    for start in range(0, len(entries), CHUNK):
        yield entries[start : start + CHUNK]


def _take(
    engine: sa.Engine,
    name: str,
    entries: Sequence[Suppressed],
    now: datetime.datetime,
    *,
    dry_run: bool,
) -> list[Taken]:
    reports = [Report(entry.address, WORDS[name], entry.at, entry.reason) for entry in entries]
    with engine.connect() as connection, connection.begin() as transaction:
        taken = take(connection, reports, f"SendGrid's {NAMES[name]}", now)
        if dry_run:
            transaction.rollback()
    return taken


def _last(engine: sa.Engine, name: str) -> datetime.datetime | None:
    with reading(engine) as connection:
        found = connection.scalar(sa.select(meta.c.value).where(meta.c.key == f"sync:{name}"))
    return datetime.datetime.fromisoformat(found) if found else None


def _remember(engine: sa.Engine, name: str, at: datetime.datetime) -> None:
    key, value = f"sync:{name}", at.isoformat()
    with engine.begin() as connection:
        connection.execute(insert_new(connection, meta).values(key=key, value=value))
        connection.execute(sa.update(meta).where(meta.c.key == key).values(value=value))
