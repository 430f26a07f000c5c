"""Add and remove tags of subscribers; read a file of addresses."""

from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from newsletter.db.bulk import column_in, insert_or_ignore
from newsletter.db.schema import subscriber, subscriber_tag
from newsletter.errors import Location, SubscriberListError
from newsletter.subscribers.importing.files.csv_reader import open_csv
from newsletter.subscribers.importing.rows.address_cell import parse_address_cell
from newsletter.subscribers.importing.rows.column_mapping import map_columns
from newsletter.subscribers.importing.rows.row_parser import clean_tags


class AddressFileRow(NamedTuple):
    """A row of a file of addresses.

    Attributes:
        line: the number of the line, from 1.
        key: the address as a key; ``""`` if the address is not valid.
        address_or_problem: the address, or what is wrong with the row.
    """

    line: int
    key: str
    address_or_problem: str


def clean_tag(text: str) -> str:
    """Return a tag without surrounding spaces.

    Raises:
        SubscriberListError: the tag is empty or contains characters that are not allowed.
    """
    cleaned = clean_tags([text])
    if not cleaned:
        raise SubscriberListError("a tag must not be empty")
    return cleaned[0]


def add_tag(connection: sa.Connection, name: str, condition: sa.ColumnElement[bool]) -> int:
    """Add a tag to all subscribers who meet a condition; return how many did not have it.

    Whoever has it in another spelling has it: the case of letters is ignored, as in a query.
    Whoever is erased meanwhile is left out.
    """
    has_it = sa.exists().where(
        subscriber_tag.c.subscriber_id == subscriber.c.id,
        subscriber_tag.c.tag.in_(_find_spellings(connection, name)),
    )
    rows = (
        sa.select(subscriber.c.id, sa.literal(name))
        .where(condition, ~has_it)
        # PostgreSQL waits for those who are just being erased, and skips them once they are.
        .with_for_update(read=True, key_share=True, of=subscriber)
    )
    insert = insert_or_ignore(connection, subscriber_tag).from_select(
        ["subscriber_id", "tag"], rows
    )
    return connection.execute(insert, execution_options={"preserve_rowcount": True}).rowcount


def remove_tag(connection: sa.Connection, name: str, condition: sa.ColumnElement[bool]) -> int:
    """Remove a tag, in any of its spellings, from all subscribers who meet a condition.

    The case of letters is ignored, as in a query. Returns the number of subscribers who had it.
    """
    ids = sa.select(subscriber.c.id).where(condition)
    removed = sa.and_(
        subscriber_tag.c.tag.in_(_find_spellings(connection, name)),
        subscriber_tag.c.subscriber_id.in_(ids),
    )
    count = sa.select(sa.func.count(subscriber_tag.c.subscriber_id.distinct())).where(removed)
    changed = connection.scalar(count) or 0
    connection.execute(sa.delete(subscriber_tag).where(removed))
    return changed


def list_tags(connection: sa.Connection) -> list[str]:
    """Return all tags in use, sorted, with one index lookup per tag (a loose index scan)."""
    first = sa.select(sa.func.min(subscriber_tag.c.tag).label("tag")).cte("used", recursive=True)
    after = sa.select(sa.func.min(subscriber_tag.c.tag)).where(subscriber_tag.c.tag > first.c.tag)
    used = first.union_all(
        sa.select(after.scalar_subquery().correlate(first)).where(first.c.tag.is_not(None))
    )
    return sorted(connection.scalars(sa.select(used.c.tag).where(used.c.tag.is_not(None))))


def _find_spellings(connection: sa.Connection, name: str) -> list[str]:
    return [tag for tag in list_tags(connection) if tag.casefold() == name.casefold()]


def find_ids(connection: sa.Connection, keys: Collection[str]) -> dict[str, int]:
    """Return the ids of those address keys that are in the list: key -> id."""
    query = sa.select(subscriber.c.address_key, subscriber.c.id).where(
        column_in(connection, subscriber.c.address_key, keys)
    )
    return dict(connection.execute(query).all())


def read_address_file(path: Path) -> Iterator[AddressFileRow]:
    """Yield the addresses of a file: one per line, or a column of a CSV file.

    Raises:
        SubscriberListError: the file as a whole can't be read.
    """
    where = Location(str(path))
    with open_csv(path, where) as file:
        rows = file.rows()
        first = next(rows, None)
        if first is None or first.problem:
            raise SubscriberListError(first.problem if first else "the file is empty", where=where)
        columns = map_columns(first.cells, {}, where)
        for row in rows if columns.header else chain([first], rows):
            if row.problem:
                yield AddressFileRow(row.line, "", row.problem)
                continue
            try:
                parsed = parse_address_cell(row.cells[columns.address]).parsed
            except SubscriberListError as error:
                yield AddressFileRow(row.line, "", error.problems[0].message)
            else:
                yield AddressFileRow(row.line, parsed.key, parsed.address)
