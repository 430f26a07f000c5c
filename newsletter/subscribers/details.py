"""What the editor writes down of a reader besides the status: name, attributes, tags."""

import datetime

import sqlalchemy as sa

from newsletter.subscribers.attributes import Attributes, known_attributes
from newsletter.subscribers.entry import Entry
from newsletter.subscribers.store import ListWriter
from newsletter.subscribers.values import read_value


def describe(connection: sa.Connection, entry: Entry, now: datetime.datetime) -> bool:
    """Give a subscriber what an entry tells of them; what it doesn't tell stays.

    Args:
        connection: in a transaction that writes.
        entry: of somebody in the list, with the status that they have.
        now: the time to record.

    Returns:
        Whether anything is different now.

    Raises:
        ListError: a value is of another type than its attribute.
    """
    Attributes(connection).learn([entry])
    types = known_attributes(connection)
    typed = {name: read_value(value, types[name], name) for name, value in entry.attributes.items()}
    outcome = ListWriter(connection, "", now).write([entry._replace(attributes=typed)])
    return bool(outcome.updated)
