"""The attributes of the list, and the type that each got first."""

from collections.abc import Iterable, Mapping
from itertools import islice

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.schema import attribute
from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import (
    AttributeType,
    AttributeValue,
    coerce_value,
    infer_type,
)
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber

# Of all readers together. A column of JSON could name a new one in every row.
MAX_ATTRIBUTES = 500
# How many values of a new attribute are looked at.
_SAMPLE_SIZE = 10_000


class AttributeRegistry:
    """The attributes of a list, learnt as they come.

    Args:
        connection: in a transaction; what is learnt is written there.
        declared: types that a file tells; for an attribute that is known they count for nothing.
    """

    def __init__(
        self, connection: sa.Connection, declared: Mapping[str, AttributeType] | None = None
    ) -> None:
        self._connection = connection
        self._types = load_attribute_types(connection)
        if declared:
            self._register(
                {name: kind for name, kind in declared.items() if name not in self._types}
            )

    def register_new(self, entries: Iterable[ParsedSubscriber]) -> None:
        """Give a type to every attribute that is new among some entries, by its first values."""
        self._register(infer_attribute_types(entries, self._types))

    def coerce_attributes(self, entry: ParsedSubscriber) -> None:
        """Give an entry's attributes their types, in place: a million copies take their time.

        Raises:
            ListError: a value is of another type than the attribute, or the list has far too
                many attributes.
        """
        for name, value in entry.attributes.items():
            kind = self._types.get(name)
            if kind is None:
                raise SubscriberListError(
                    f"'{name}' would be the attribute number {MAX_ATTRIBUTES + 1}: too many"
                )
            if kind != "text" or not isinstance(value, str):
                entry.attributes[name] = coerce_value(value, kind, name)

    def _register(self, found: Mapping[str, AttributeType]) -> None:
        new = dict(islice(found.items(), max(0, MAX_ATTRIBUTES - len(self._types))))
        if not new:
            return
        rows = [{"name": name, "type": kind} for name, kind in new.items()]
        self._connection.execute(insert_or_ignore(self._connection, attribute), rows)
        # Another import may have been first.
        self._types = load_attribute_types(self._connection)


def infer_attribute_types(
    entries: Iterable[ParsedSubscriber], known: Mapping[str, AttributeType]
) -> dict[str, AttributeType]:
    """The types of the attributes of some entries that aren't known yet."""
    values: dict[str, list[AttributeValue]] = {}
    for entry in entries:
        for name in entry.attributes.keys() - known.keys():
            values.setdefault(name, []).append(entry.attributes[name])
    return {name: infer_type(islice(found, _SAMPLE_SIZE)) for name, found in values.items()}


def load_attribute_types(connection: sa.Connection) -> dict[str, AttributeType]:
    """Every attribute of the list: name -> type, by name."""
    found = sa.select(attribute.c.name, attribute.c.type).order_by(attribute.c.name)
    return dict(connection.execute(found).all())
