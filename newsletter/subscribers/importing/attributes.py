"""Registry of the list's attributes: infer and apply their types."""

from collections.abc import Iterable, Mapping
from itertools import islice

import sqlalchemy as sa

from newsletter.db.bulk import insert_or_ignore
from newsletter.db.column_types import ByCodePoint
from newsletter.db.schema import attribute
from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import (
    AttributeType,
    AttributeValue,
    coerce_value,
    infer_type,
)
from newsletter.subscribers.importing.rows.row_parser import ParsedSubscriber

# For the whole list. A JSON column could otherwise add new attributes with each row.
MAX_ATTRIBUTES = 500
# How many values are considered to infer the type of a new attribute.
_SAMPLE_SIZE = 10_000


class AttributeRegistry:
    """The attributes of the list and their types; new ones are registered during an import.

    Args:
        connection: a connection in a transaction, in which new attributes are stored.
        declared: the types declared by a file; they don't change attributes known already.
    """

    def __init__(
        self, connection: sa.Connection, declared: Mapping[str, AttributeType] | None = None
    ) -> None:
        self._connection = connection
        self._types = load_attribute_types(connection)
        if declared:
            self._register(
                {name: type_ for name, type_ in declared.items() if name not in self._types}
            )

    def register_new(self, entries: Iterable[ParsedSubscriber]) -> None:
        """Register the new attributes of some entries, with types inferred from their values."""
        self._register(infer_attribute_types(entries, self._types))

    def coerce_attributes(self, entry: ParsedSubscriber) -> None:
        """Convert an entry's attributes to their types, in place, as copying a million is slow.

        Raises:
            SubscriberListError: a value can't be converted to the attribute's type, or the list
                has too many attributes.
        """
        for name, value in entry.attributes.items():
            type_ = self._types.get(name)
            if type_ is None:
                raise SubscriberListError(
                    f"'{name}' exceeds the limit of {MAX_ATTRIBUTES} attributes"
                )
            if type_ != "text" or not isinstance(value, str):
                entry.attributes[name] = coerce_value(value, type_, name)

    def _register(self, types: Mapping[str, AttributeType]) -> None:
        new = dict(islice(types.items(), max(0, MAX_ATTRIBUTES - len(self._types))))
        if not new:
            return
        rows = [{"name": name, "type": type_} for name, type_ in new.items()]
        self._connection.execute(insert_or_ignore(self._connection, attribute), rows)
        # A concurrent import may have registered the same names with other types.
        self._types = load_attribute_types(self._connection)


def infer_attribute_types(
    entries: Iterable[ParsedSubscriber], known: Mapping[str, AttributeType]
) -> dict[str, AttributeType]:
    """Return the types of those attributes of some entries that aren't known yet."""
    values: dict[str, list[AttributeValue]] = {}
    for entry in entries:
        for name in entry.attributes.keys() - known.keys():
            values.setdefault(name, []).append(entry.attributes[name])
    return {
        name: infer_type(islice(name_values, _SAMPLE_SIZE)) for name, name_values in values.items()
    }


def load_attribute_types(connection: sa.Connection) -> dict[str, AttributeType]:
    """Return the attributes of the list: name -> type, sorted by name."""
    query = sa.select(attribute.c.name, attribute.c.type).order_by(ByCodePoint(attribute.c.name))
    return dict(connection.execute(query).all())
