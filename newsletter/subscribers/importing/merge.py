"""Merge an imported row with the existing subscriber; merge duplicates.

Pure functions.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from newsletter.subscribers.attribute_types import AttributeValue
from newsletter.subscribers.consent.tracking_answers import TrackingAnswers
from newsletter.subscribers.consent.transitions import (
    SUPPRESSED_STATUSES,
    StatusChange,
    next_status,
)
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber


class ExistingSubscriber(NamedTuple):
    """An existing subscriber, with times as the driver returns them, which sort by time too."""

    id: int
    name: str
    status: str
    attributes: dict[str, AttributeValue]
    joined_at: Any
    confirmed_at: Any
    tags: frozenset[str]
    answers: TrackingAnswers


class SubscriberUpdates(NamedTuple):
    """The updates of existing subscribers.

    Attributes:
        details: subscribers with their new details.
        new_tags: id and a new tag.
        status_changes: id, new status and the line in the file.
        resubscribed: id and the line in the file.
        answers: the subscriber as they were, what the file states about consent to tracking, and
            the line in the file.
    """

    details: list[ExistingSubscriber]
    new_tags: list[tuple[int, str]]
    status_changes: list[tuple[int, str, int]]
    resubscribed: list[tuple[int, int]]
    answers: list[tuple[ExistingSubscriber, TrackingAnswers, int]]

    def add_entry(
        self,
        existing: ExistingSubscriber,
        entry: ParsedSubscriber,
        to_driver_time: Callable[[Any], Any],
    ) -> bool:
        """Add the differences of an entry and return whether there are any; ignore blank cells.

        Args:
            existing: the existing subscriber.
            entry: the entry of the file.
            to_driver_time: converts a time to what the driver would return.
        """
        changed = self.add_status_change(existing, entry)
        changed |= self.add_answers(existing, entry)
        if entry.tags:
            known = {tag.casefold() for tag in existing.tags}
            tags = [(existing.id, tag) for tag in entry.tags if tag.casefold() not in known]
            self.new_tags.extend(tags)
            changed = changed or bool(tags)
        merged = existing
        if entry.name and entry.name != existing.name:
            merged = merged._replace(name=entry.name)
        if not entry.attributes.items() <= existing.attributes.items():
            merged = merged._replace(attributes={**existing.attributes, **entry.attributes})
        # The earlier of two dates counts: by then they had joined, or confirmed.
        if entry.joined_at and to_driver_time(entry.joined_at) < existing.joined_at:
            merged = merged._replace(joined_at=to_driver_time(entry.joined_at))
        if entry.confirmed_at:
            confirmed_at = to_driver_time(entry.confirmed_at)
            if existing.confirmed_at is None or confirmed_at < existing.confirmed_at:
                merged = merged._replace(confirmed_at=confirmed_at)
        if merged is existing:
            return changed
        self.details.append(merged)
        return True

    def add_answers(
        self, existing: ExistingSubscriber, entry: ParsedSubscriber, *, only_refusals: bool = False
    ) -> bool:
        """Add what an entry states about consent to tracking; return whether that is a change.

        A file may refuse, and may answer for those who were not asked; it never takes a refusal
        back.
        """
        answers = {
            action: answer
            for action, answer in entry.tracking_answers.items()
            if existing.answers.get(action) not in {answer, False}
            and not (answer and only_refusals)
        }
        if answers:
            self.answers.append((existing, answers, entry.line))
        return bool(answers)

    def withdraw_answers(self, existing: ExistingSubscriber, entry: ParsedSubscriber) -> None:
        """Let the agreement of a reader end who had left, unless the file states it again."""
        ended = {
            action: False
            for action, answer in existing.answers.items()
            if answer and action not in entry.tracking_answers
        }
        if ended and existing.status in SUPPRESSED_STATUSES:
            self.answers.append((existing, ended, entry.line))

    def add_status_change(self, existing: ExistingSubscriber, entry: ParsedSubscriber) -> bool:
        """Add the change of status that an entry leads to, and return whether there is one."""
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
    """Return the first entry of each address, and the duplicates, which can only suppress."""
    first: dict[str, ParsedSubscriber] = {}
    duplicates: list[ParsedSubscriber] = []
    for entry in entries:
        earlier = first.setdefault(entry.key, entry)
        if earlier is not entry:
            duplicates.append(entry)
            status = next_status(earlier.status, StatusChange("imported", entry.status))
            if status != earlier.status:
                first[entry.key] = earlier._replace(status=status)
            if False in (entry.opens_consent, entry.clicks_consent):
                first[entry.key] = first[entry.key]._replace(
                    opens_consent=_merge_answers(earlier.opens_consent, entry.opens_consent),
                    clicks_consent=_merge_answers(earlier.clicks_consent, entry.clicks_consent),
                )
    return first, duplicates


def _merge_answers(first: bool | None, later: bool | None) -> bool | None:  # noqa: FBT001 - values
    """Return the answer of the first entry, unless a later one refuses."""
    return False if later is False else first
