"""Which attributes the list knows, and the type that each of them got first."""

from collections.abc import Iterable, Mapping
from itertools import islice

import sqlalchemy as sa

from newsletter.db.bulk import insert_new
from newsletter.db.schema import attribute
from newsletter.errors import SubscriberListError
from newsletter.subscribers.attribute_types import Type, Value, read_value, type_of
from newsletter.subscribers.importing.rows.row_parser import Entry

# Of all readers together. A column of JSON could name a new one in every row.
MOST = 500
# How many values of a new attribute are looked at.
_LOOKED_AT = 10_000


class Attributes:
    """The attributes of a list, learnt as they come.

    Args:
        connection: in a transaction; what is learnt is written there.
        declared: types that a file tells; for an attribute that is known they count for nothing.
    """

    def __init__(
        self, connection: sa.Connection, declared: Mapping[str, Type] | None = None
    ) -> None:
        self._connection = connection
        self._types = known_attributes(connection)
        if declared:
            self._add({name: kind for name, kind in declared.items() if name not in self._types})

    def learn(self, entries: Iterable[Entry]) -> None:
        """Give a type to every attribute that is new among some entries, by its first values."""
        self._add(types_of(entries, self._types))

    def fit(self, entry: Entry) -> None:
        """Give an entry's attributes their types, in place: a million copies take their time.

        Raises:
            ListError: a value is of another type than the attribute, or the list has far too
                many attributes.
        """
        for name, value in entry.attributes.items():
            kind = self._types.get(name)
            if kind is None:
                raise SubscriberListError(
                    f"'{name}' would be the attribute number {MOST + 1}: too many"
                )
            if kind != "text" or not isinstance(value, str):
                entry.attributes[name] = read_value(value, kind, name)

    def _add(self, found: Mapping[str, Type]) -> None:
        new = dict(islice(found.items(), max(0, MOST - len(self._types))))
        if not new:
            return
        rows = [{"name": name, "type": kind} for name, kind in new.items()]
        self._connection.execute(insert_new(self._connection, attribute), rows)
        # Another import may have been first.
        self._types = known_attributes(self._connection)


def types_of(entries: Iterable[Entry], known: Mapping[str, Type]) -> dict[str, Type]:
    """The types of the attributes of some entries that aren't known yet."""
    values: dict[str, list[Value]] = {}
    for entry in entries:
        for name in entry.attributes.keys() - known.keys():
            values.setdefault(name, []).append(entry.attributes[name])
    return {name: type_of(islice(found, _LOOKED_AT)) for name, found in values.items()}


def known_attributes(connection: sa.Connection) -> dict[str, Type]:
    """Every attribute of the list: name -> type, by name."""
    found = sa.select(attribute.c.name, attribute.c.type).order_by(attribute.c.name)
    return dict(connection.execute(found).all())
