"""Add and remove tags."""

from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_or_ignore
from newsletter.db.schema import subscriber, subscriber_tag
from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.address import parse_address
from newsletter.subscribers.importing.files.csv_reader import open_csv
from newsletter.subscribers.importing.rows.column_mapping import map_columns
from newsletter.subscribers.importing.rows.row_parser import clean_tags


class AddressFileRow(NamedTuple):
    """A row of a file of addresses.

    Attributes:
        line: 1-based.
        key: the address as a key; ``""`` if there is none to be read.
        address_or_problem: the address as it stands there, or what is wrong with it.
    """

    line: int
    key: str
    address_or_problem: str


def clean_tag(text: str) -> str:
    """A tag without the spaces around it.

    Raises:
        ListError: there is nothing left, or what no tag may have.
    """
    found = clean_tags([text])
    if not found:
        raise SubscriberListError("a tag needs a letter or a digit")
    return found[0]


def add_tag(connection: sa.Connection, name: str, condition: sa.ColumnElement[bool]) -> int:
    """Put a tag on every subscriber of a condition; returns how many hadn't got it."""
    chosen = sa.select(subscriber.c.id, sa.literal(name)).where(condition)
    new = insert_or_ignore(connection, subscriber_tag).from_select(["subscriber_id", "tag"], chosen)
    return connection.execute(new, execution_options={"preserve_rowcount": True}).rowcount


def remove_tag(connection: sa.Connection, name: str, condition: sa.ColumnElement[bool]) -> int:
    """Take a tag off every subscriber of a condition; returns how many had it.

    Capitals don't matter, as in a query.
    """
    spelled = [each for each in iter_tags(connection) if each.casefold() == name.casefold()]
    chosen = sa.select(subscriber.c.id).where(condition)
    gone = sa.delete(subscriber_tag).where(
        subscriber_tag.c.tag.in_(spelled), subscriber_tag.c.subscriber_id.in_(chosen)
    )
    return connection.execute(gone).rowcount


def iter_tags(connection: sa.Connection) -> Iterator[str]:
    """Every tag that some reader has, in order: one look into the index a tag."""
    first = sa.select(sa.func.min(subscriber_tag.c.tag).label("tag")).cte("used", recursive=True)
    after = sa.select(sa.func.min(subscriber_tag.c.tag)).where(subscriber_tag.c.tag > first.c.tag)
    used = first.union_all(
        sa.select(after.scalar_subquery().correlate(first)).where(first.c.tag.is_not(None))
    )
    yield from connection.scalars(sa.select(used.c.tag).where(used.c.tag.is_not(None)))


def find_listed_keys(connection: sa.Connection, keys: Collection[str]) -> set[str]:
    """Those of the addresses (as keys) that are in the list."""
    found = sa.select(subscriber.c.address_key).where(
        column_in(connection, subscriber.c.address_key, keys)
    )
    return set(connection.scalars(found))


def read_address_file(path: Path) -> Iterator[AddressFileRow]:
    """The addresses of a file: one a line, or a column of a CSV file.

    Raises:
        ListError: the file as a whole can't be read.
    """
    where = Location(str(path))
    with open_csv(path, where) as file:
        rows = file.rows()
        first = next(rows, None)
        if first is None or first.problem:
            raise SubscriberListError(
                first.problem if first else "the file has no rows", where=where
            )
        columns = map_columns(first.cells, {}, where)
        for row in rows if columns.header else chain([first], rows):
            if row.problem:
                yield AddressFileRow(row.line, "", row.problem)
                continue
            try:
                found = parse_address(row.cells[columns.address])
            except SubscriberListError as error:
                yield AddressFileRow(row.line, "", error.problems[0].message)
            else:
                yield AddressFileRow(row.line, found.key, found.address)
