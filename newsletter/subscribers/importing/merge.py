"""What an entry changes of a subscriber who is there, and of an earlier entry. Pure."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from newsletter.subscribers.attribute_types import Value
from newsletter.subscribers.consent.transitions import Change, transition
from newsletter.subscribers.importing.rows.row_parser import Entry


class Known(NamedTuple):
    """A subscriber as the database has them, times as the driver gives them: they sort alike."""

    id: int
    name: str
    status: str
    attributes: dict[str, Value]
    joined_at: Any
    confirmed_at: Any
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

    def add(self, row: Known, entry: Entry, bound: Callable[[Any], Any]) -> bool:
        """Note what differs, if anything; a blank cell says nothing.

        Args:
            row: who is there.
            entry: what the file says of them.
            bound: makes of a time what the driver would give.
        """
        changed = self.add_leaving(row, entry)
        if entry.tags:
            tags = [(row.id, tag) for tag in entry.tags if tag not in row.tags]
            self.tagged.extend(tags)
            changed = changed or bool(tags)
        shall = row
        if entry.name and entry.name != row.name:
            shall = shall._replace(name=entry.name)
        if not entry.attributes.items() <= row.attributes.items():
            shall = shall._replace(attributes={**row.attributes, **entry.attributes})
        # Of two dates the earlier: they were a reader, and had confirmed, by then.
        if entry.joined_at and bound(entry.joined_at) < row.joined_at:
            shall = shall._replace(joined_at=bound(entry.joined_at))
        if entry.confirmed_at:
            confirmed = bound(entry.confirmed_at)
            if row.confirmed_at is None or confirmed < row.confirmed_at:
                shall = shall._replace(confirmed_at=confirmed)
        if shall is row:
            return changed
        self.rewritten.append(shall)
        return True

    def add_leaving(self, row: Known, entry: Entry) -> bool:
        """Note that they have left, if that is news."""
        if entry.status == row.status:
            return False
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
