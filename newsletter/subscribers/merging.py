"""What an entry changes of a subscriber who is there, and of an earlier entry. Pure."""

import datetime
from collections.abc import Sequence
from typing import NamedTuple

from newsletter.subscribers.consent import Change, transition
from newsletter.subscribers.entry import Entry
from newsletter.subscribers.values import Value


class Known(NamedTuple):
    """A subscriber as the database has them."""

    id: int
    name: str
    status: str
    attributes: dict[str, Value]
    joined_at: datetime.datetime
    confirmed_at: datetime.datetime | None
    tags: frozenset[str]


class Changes(NamedTuple):
    """What to change of subscribers that are there.

    Attributes:
        rewritten: as they shall be.
        tagged: id and a new tag.
        left: id, status and the row that says so.
        returned: id and the row that says so.
    """

    rewritten: list[Known]
    tagged: list[tuple[int, str]]
    left: list[tuple[int, str, int]]
    returned: list[tuple[int, int]]

    def add(self, row: Known, entry: Entry) -> bool:
        """Note what differs, if anything; a blank cell says nothing."""
        shall = row._replace(
            name=entry.name or row.name,
            attributes={**row.attributes, **entry.attributes},
            # Of two dates the earlier: they were a reader, and had confirmed, by then.
            joined_at=min(row.joined_at, entry.joined_at or row.joined_at),
            confirmed_at=min(filter(None, (row.confirmed_at, entry.confirmed_at)), default=None),
        )
        if shall != row:
            self.rewritten.append(shall)
        tags = [(row.id, tag) for tag in entry.tags if tag not in row.tags]
        self.tagged.extend(tags)
        return self.add_leaving(row, entry) or shall != row or bool(tags)

    def add_leaving(self, row: Known, entry: Entry) -> bool:
        """Note that they have left, if that is news."""
        status = transition(row.status, Change("imported", entry.status))
        if status == row.status:
            return False
        self.left.append((row.id, status, entry.line))
        return True


def first_of_each(entries: Sequence[Entry]) -> tuple[dict[str, Entry], list[Entry]]:
    """The first entry of each address, and the others, which can only say that they have left."""
    first: dict[str, Entry] = {}
    repeated: list[Entry] = []
    for entry in entries:
        earlier = first.setdefault(entry.key, entry)
        if earlier is not entry:
            repeated.append(entry)
            status = transition(earlier.status, Change("imported", entry.status))
            if status != earlier.status:
                first[entry.key] = earlier._replace(status=status)
    return first, repeated
