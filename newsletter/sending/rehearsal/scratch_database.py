"""Copy or generate the list of a rehearsal in a scratch database."""

import datetime
import secrets
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from newsletter.db import read_transaction
from newsletter.db.schema import batch, subscriber, suppression

PAGE_SIZE = 5_000
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)

Rows = list[dict[str, Any]]


def copy_subscribers(source: sa.Engine, scratch: sa.Engine) -> None:
    """Copy all tables that decide who is mailed; the real list is only read.

    Args:
        source: the database of the list.
        scratch: an empty database.
    """
    with read_transaction(source) as connection:
        for table in (suppression, subscriber):
            rows = connection.execution_options(yield_per=PAGE_SIZE).execute(sa.select(table))
            for page in rows.mappings().partitions():
                _insert(scratch, table, [dict(row) for row in page])


def insert_synthetic_subscribers(count: int, scratch: sa.Engine) -> None:
    """Insert synthetic subscribers.

    Args:
        count: how many.
        scratch: an empty database.
    """
    for page in _iter_synthetic_rows(count):
        _insert(scratch, subscriber, page)


def force_lease_expiry(scratch: sa.Engine) -> None:
    """Let the leases of a killed sender expire at once."""
    leased = sa.update(batch).where(batch.c.lease_until.is_not(None))
    with scratch.begin() as connection:
        connection.execute(leased.values(lease_until=LONG_AGO))


def _insert(scratch: sa.Engine, table: sa.Table, rows: Rows) -> None:
    with scratch.begin() as connection:
        connection.execute(sa.insert(table), rows)


def _iter_synthetic_rows(count: int) -> Iterator[Rows]:
    now = datetime.datetime.now(datetime.UTC)
    for start in range(1, count + 1, PAGE_SIZE):
        yield [
            {
                # RFC 2606: a reserved domain without mailboxes.
                "address": f"reader{number}@example.com",
                "address_key": f"reader{number}@example.com",
                "name": f"Reader {number}",
                "status": "active",
                "attributes": {},
                "token": secrets.token_urlsafe(16),
                "joined_at": now,
                "updated_at": now,
            }
            for number in range(start, min(start + PAGE_SIZE, count + 1))
        ]
