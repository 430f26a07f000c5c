"""Merge an imported row with the subscriber and earlier rows.

Pure.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from newsletter.subscribers.attribute_types import AttributeValue
from newsletter.subscribers.consent.transitions import StatusChange, next_status
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber


class ExistingSubscriber(NamedTuple):
    """A subscriber as the database has them, times as the driver gives them: they sort alike."""

    id: int
    name: str
    status: str
    attributes: dict[str, AttributeValue]
    joined_at: Any
    confirmed_at: Any
    tags: frozenset[str]


class SubscriberUpdates(NamedTuple):
    """What to change of subscribers that are there.

    Attributes:
        details: as they shall be.
        new_tags: id and a new tag.
        status_changes: id, status and the row that says so.
        resubscribed: id and the row that says so.
    """

    details: list[ExistingSubscriber]
    new_tags: list[tuple[int, str]]
    status_changes: list[tuple[int, str, int]]
    resubscribed: list[tuple[int, int]]

    def add_entry(
        self,
        existing: ExistingSubscriber,
        entry: ParsedSubscriber,
        to_driver_time: Callable[[Any], Any],
    ) -> bool:
        """Note what differs, if anything; a blank cell says nothing.

        Args:
            existing: who is there.
            entry: what the file says of them.
            to_driver_time: makes of a time what the driver would give.
        """
        changed = self.add_status_change(existing, entry)
        if entry.tags:
            tags = [(existing.id, tag) for tag in entry.tags if tag not in existing.tags]
            self.new_tags.extend(tags)
            changed = changed or bool(tags)
        shall = existing
        if entry.name and entry.name != existing.name:
            shall = shall._replace(name=entry.name)
        if not entry.attributes.items() <= existing.attributes.items():
            shall = shall._replace(attributes={**existing.attributes, **entry.attributes})
        # Of two dates the earlier: they were a reader, and had confirmed, by then.
        if entry.joined_at and to_driver_time(entry.joined_at) < existing.joined_at:
            shall = shall._replace(joined_at=to_driver_time(entry.joined_at))
        if entry.confirmed_at:
            confirmed = to_driver_time(entry.confirmed_at)
            if existing.confirmed_at is None or confirmed < existing.confirmed_at:
                shall = shall._replace(confirmed_at=confirmed)
        if shall is existing:
            return changed
        self.details.append(shall)
        return True

    def add_status_change(self, existing: ExistingSubscriber, entry: ParsedSubscriber) -> bool:
        """Note that they have left, if that is news."""
        if entry.status == existing.status:
            return False
        status = next_status(existing.status, StatusChange("imported", entry.status))
        if status == existing.status:
            return False
        self.status_changes.append((existing.id, status, entry.line))
        return True


def merge_duplicates(
    entries: Sequence[ParsedSubscriber],
) -> tuple[dict[str, ParsedSubscriber], list[ParsedSubscriber]]:
    """The first entry of each address, and the others, which can only say that they have left."""
    first: dict[str, ParsedSubscriber] = {}
    repeated: list[ParsedSubscriber] = []
    for entry in entries:
        earlier = first.setdefault(entry.key, entry)
        if earlier is not entry:
            repeated.append(entry)
            status = next_status(earlier.status, StatusChange("imported", entry.status))
            if status != earlier.status:
                first[entry.key] = earlier._replace(status=status)
    return first, repeated
